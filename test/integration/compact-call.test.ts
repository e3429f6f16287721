/** Compaction asked for: over the wire with scripted stores, and of a real server, by command and by schedule. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { CompactRequest, CompactResult, JobOptions, VacuumRequest } from '../../src/offline/offline-store.ts'
import type { ScheduledTask } from '../../src/upkeep/schedule.ts'
import { tableTasks } from '../../src/upkeep/table-tasks.ts'
import { runCommand } from '../support/cli-process.ts'
import { startServerProcess } from '../support/server-process.ts'
import { type Edge, registry, startEdge } from './grpc-fixture.ts'

const COMPACTED = {
  tableVersion: 7,
  filesRemoved: 9,
  bytesRemoved: 9000,
  filesAdded: 1,
  bytesAdded: 5000,
  groupsLeft: 0,
  groupsLost: 1,
}
const VACUUMED = { deleted: 11, bytes: 123, kept: 0, filesLeft: 4 }
const EMPTY = { ...COMPACTED, tableVersion: -1, filesRemoved: 0, filesAdded: 0, groupsLost: 0 }

describe('the call', () => {
  let edge: Edge
  let client: TwinstoreClient
  const asked: (readonly [string, string, CompactRequest | VacuumRequest])[] = []

  async function start(compacting: (view: string, options: JobOptions) => Promise<Omit<CompactResult, 'view'>>) {
    asked.length = 0
    edge = await startEdge({
      offline: {
        async compact(view, request, options) {
          asked.push(['compact', view.name, request])
          return { view: view.name, ...(await compacting(view.name, options!)) }
        },
        async vacuum(view, request) {
          asked.push(['vacuum', view.name, request])
          return { view: view.name, ...VACUUMED }
        },
      },
    })
    client = connect(edge.address)
  }
  afterEach(async () => {
    client.close()
    await edge.close()
  })

  test('goes through all views, with progress and with what vacuum did if it was asked for', async () => {
    await start(async (view, options) => {
      options.onProgress?.({ step: `compacting ${view}`, fraction: 0.5 })
      return view === 'gate_status' ? EMPTY : COMPACTED
    })
    const progress: unknown[] = []
    const results = await client.compact({ vacuum: true, onProgress: (view, { step }) => progress.push([view, step]) })
    expect(results).toEqual(
      ['airport_daily', 'route_daily', 'gate_status'].map((view) => ({
        view,
        ...(view === 'gate_status' ? EMPTY : COMPACTED),
        seconds: expect.any(Number),
        vacuum: VACUUMED,
      })),
    )
    expect(progress).toContainEqual(['airport_daily', 'compacting airport_daily'])
    const compaction = { targetBytes: 1000, filesMin: 2, runBytesMax: 10_000, batchFilesMax: 10, dryRun: false }
    expect(asked.slice(0, 2)).toEqual([
      ['compact', 'airport_daily', compaction],
      ['vacuum', 'airport_daily', { ageMs: 1, filesMax: 10, dryRun: false }],
    ])
  })

  test('of some views does only those, and only says what it would do if asked to', async () => {
    await start(async () => EMPTY)
    expect(await client.compact({ views: ['route_daily', 'route_daily'], dryRun: true })).toHaveLength(1)
    expect(asked).toMatchObject([['compact', 'route_daily', { dryRun: true }]])
  })

  test('of a view that there is not begins nothing', async () => {
    await start(async () => EMPTY)
    await expect(client.compact({ views: ['route_daily', 'rout_daily'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('route_daily'),
    })
    expect(asked).toEqual([])
  })

  test('that fails for one view says why, and that it was cancelled ends the work', async () => {
    await start(async (view) => {
      if (view === 'route_daily') throw new TwinstoreError('DATA_LOSS', 'a file is gone')
      return COMPACTED
    })
    await expect(client.compact()).rejects.toMatchObject({ code: 'DATA_LOSS', message: 'a file is gone' })
    expect(asked.map(([, view]) => view)).toEqual(['airport_daily', 'route_daily'])
  })

  test('whose deadline passes aborts the work', async () => {
    let aborted = (_: unknown): void => {}
    const end = new Promise((resolve) => {
      aborted = resolve
    })
    await start(
      (_, options) =>
        new Promise((_, reject) => {
          options.signal!.addEventListener('abort', () => {
            aborted(true)
            reject(new TwinstoreError('CANCELLED', 'cancelled'))
          })
        }),
    )
    await expect(client.compact({ deadlineMs: 200 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(await end).toBe(true)
  })
})

describe('scheduled tasks', () => {
  const signal = new AbortController().signal
  const compaction = { targetBytes: 1, filesMin: 8, runBytesMax: 1, batchFilesMax: 1 }

  function tasks(everyMs: { compact: number; vacuum: number }, result: () => Omit<CompactResult, 'view'>) {
    const done: unknown[] = []
    const made = tableTasks({
      views: registry.views.values(),
      offline: {
        compact: async ({ name }) => ({ view: name, ...result() }),
        vacuum: async ({ name }) => ({ view: name, ...VACUUMED, deleted: 0 }),
      },
      compactEveryMs: everyMs.compact,
      vacuumEveryMs: everyMs.vacuum,
      compaction,
      vacuum: { ageMs: 1, filesMax: 1 },
      onCompacted: ({ view }) => done.push(`compacted ${view}`),
      onVacuumed: ({ view }) => done.push(`vacuumed ${view}`),
    })
    const named = (name: string): ScheduledTask => made.find((task) => task.name === name)!
    return { made, named, done }
  }

  test('are one of each kind per view, and none of a kind that is off', () => {
    const { made } = tasks({ compact: 5, vacuum: 7 }, () => EMPTY)
    expect(made.map(({ name, view, everyMs }) => [name, view, everyMs])).toEqual(
      ['airport_daily', 'route_daily', 'gate_status'].flatMap((view) => [
        [`compact ${view}`, view, 5],
        [`vacuum ${view}`, view, 7],
      ]),
    )
    expect(tasks({ compact: 0, vacuum: 0 }, () => EMPTY).made).toEqual([])
  })

  test('tell of what they did, and nothing of nothing', async () => {
    const busy = tasks({ compact: 5, vacuum: 7 }, () => COMPACTED)
    await busy.named('compact route_daily').run(signal)
    await busy.named('vacuum route_daily').run(signal)
    expect(busy.done).toEqual(['compacted route_daily'])
    const idle = tasks({ compact: 5, vacuum: 7 }, () => EMPTY)
    await idle.named('compact route_daily').run(signal)
    expect(idle.done).toEqual([])
  })

  test('leave the work to who is at it, and fail for any other reason', async () => {
    const failing = (code: 'ABORTED' | 'DATA_LOSS') =>
      tasks({ compact: 5, vacuum: 0 }, () => {
        throw new TwinstoreError(code, 'no')
      }).named('compact route_daily')
    await failing('ABORTED').run(signal)
    await expect(failing('DATA_LOSS').run(signal)).rejects.toMatchObject({ code: 'DATA_LOSS' })
  })
})

test('a server compacts by command and by schedule, and its history stays', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-compact-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const definitions = new URL('../fixtures/ledger/index.ts', import.meta.url).pathname
  const serve = async (...flags: string[]) => {
    const server = await startServerProcess({
      dataDir: dir,
      definitions,
      flags: ['--archive-interval', '1ms', ...flags],
    })
    onTestFinished(() => server.kill())
    return server
  }
  /** Rows in as many commits, each a file. */
  async function write(client: TwinstoreClient, from: number, count: number): Promise<void> {
    for (let n = from; n < from + count; n++) {
      await client.writeFeatures('ledger', [{ account: BigInt(n % 3), attempt: BigInt(n) }], { ack: 'BOTH' })
    }
  }
  const table = async (client: TwinstoreClient) => (await client.status()).tables[0]!

  const first = await serve('--compact-interval', '0s', '--checkpoint-every', '3')
  let client = connect(first.address)
  await write(client, 0, 6)
  expect(await table(client)).toMatchObject({ files: 6, rows: 6 })
  const command = (...args: string[]) => runCommand([...args, '--address', first.address], dir)
  const wouldDo = await command('compact', '--dry-run', '--vacuum')
  expect(wouldDo.stdout).toMatch(/ledger\s+6 files/)
  expect(wouldDo.stdout).toMatch(/would delete/)
  const [done] = JSON.parse((await command('compact', 'ledger', '--vacuum', '--json')).stdout)
  expect(done).toMatchObject({ filesRemoved: 6, filesAdded: 1, vacuum: { deleted: 0 } })
  expect((await command('compact', 'leger')).exitCode).toBe(3)
  expect(await table(client)).toMatchObject({ files: 1, rows: 6 })
  client.close()
  await first.stop()

  const second = await serve(
    '--compact-interval',
    '1ms',
    '--compact-files-min',
    '2',
    '--schedule-look-interval',
    '10ms',
  )
  client = connect(second.address)
  await write(client, 6, 3)
  while ((await table(client)).files > 1) await new Promise((resolve) => setImmediate(resolve))
  const { rows } = await client.history('ledger', { account: 0n })
  expect(rows.map((row) => row.values['attempt'])).toEqual([6n, 3n, 0n])
  expect(second.stderr()).toContain('small files of a table were rewritten')
  client.close()
  expect(await second.stop()).toBe(0)
}, 60_000)
