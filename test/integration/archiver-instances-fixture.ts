/** Instances of the archiver over one online store and one Delta folder, which can be killed without ending this process. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createInlineEngine } from '../../src/offline/duckdb/job-runner.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import type { Archiver } from '../../src/writing/archiver.ts'
import { type ArchiverLimits, createArchiver } from '../../src/writing/outbox-archiver.ts'
import { TestDefinitions } from '../unit/writing-fixture.ts'
import { openTestStore, viewOf } from './offline-store-fixtures.ts'

const MiB = 1024 ** 2

export const views = [viewOf({ n: 'int64' }, { name: 'a' }), viewOf({ n: 'int64' }, { name: 'b' })]
export const definitions = new TestDefinitions(...views)

export interface Instance {
  readonly archiver: Archiver
  readonly offline: OfflineStore
  /** Every further step fails: what is left of a killed process are the stores. */
  kill(): Promise<void>
}

export interface InstanceOptions {
  /** The folder of everything that is not online. */
  readonly dir: string
  readonly online: OnlineStore
  readonly limits: Pick<ArchiverLimits, 'intervalMs' | 'batchRows' | 'leaseMs'>
  readonly onTailLost?: (shard: Shard) => void
}

export async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-instances-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function startInstance({ dir, online, limits, onTailLost }: InstanceOptions): Promise<Instance> {
  const owner = randomUUID()
  const engineLimits = { memoryBytes: 300 * MiB, threads: 1, spillBytesMax: 1024 * MiB, sliceValuesMax: 100_000 }
  const engine = createInlineEngine({ ...engineLimits, spillDir: join(dir, owner) }, systemClock)
  const offline = openTestStore({
    objects: await openFolderObjects(join(dir, 'offline')),
    engine,
    spoolDir: join(dir, 'spool', owner),
    latestBatchRows: 1000,
  })
  onTestFinished(async () => {
    await offline.close()
    await engine.close()
  })
  let killed = false
  const archiver = createArchiver({
    online: mortal(online, () => killed),
    offline: mortal(offline, () => killed),
    definitions,
    clock: systemClock,
    random: () => 0.5,
    owner,
    limits: { ...limits, batchBytes: MiB, shardsAtOnce: 4, viewsAtOnce: 2, retry: { minMs: 10, maxMs: 50 } },
    setAside: () => Promise.reject(new Error('no row is to be set aside')),
    earlierViews: async () => undefined,
    onFault: () => {},
    onTailLost: onTailLost ?? (() => expect.unreachable('nothing was lost')),
  })
  await archiver.start()
  return {
    archiver,
    offline,
    async kill() {
      killed = true
      await archiver.stop(0)
    },
  }
}

/** The store as a process sees it that may end between any two steps, also in the middle of one that has had its effect. */
function mortal<T extends OnlineStore | OfflineStore>(store: T, isDead: () => boolean): T {
  const check = () => {
    if (isDead()) throw new TwinstoreError('UNAVAILABLE', 'killed')
  }
  return new Proxy(store, {
    get(target, name) {
      const member = target[name as keyof T]
      if (typeof member !== 'function' || name === 'watch') return member
      return async (...args: readonly unknown[]) => {
        check()
        const result: unknown = await member(...args)
        check()
        return result
      }
    },
  })
}

/** Positions of an entity's rows in both views, ascending. */
export async function historyOf(offline: OfflineStore, key: string): Promise<number[]> {
  const positions: number[] = []
  for (const view of views) {
    const { rows, truncated } = await offline.history(view, { entity: [key], limit: 100_000 })
    expect(truncated).toBe(false)
    positions.push(...rows.map((row) => row.position))
  }
  return positions.sort((a, b) => a - b)
}
