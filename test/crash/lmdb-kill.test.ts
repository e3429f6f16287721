/**
 * A process that writes to an LMDB store is killed at random moments; whatever it acknowledged must be there, and what is
 * there must be whole: the outbox is the complete history here, so every value is its greatest version.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import type { RowKey, Shard } from '../../src/domain/entity-key.ts'
import { compareRowVersions } from '../../src/domain/row-codec.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { LmdbDurability } from '../../src/online/lmdb/lmdb-options.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { OnlineStore, OutboxEntry } from '../../src/online/online-store.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'

const KILLS = 6
/** Batches acknowledged before a kill: at most this many, so that kills fall into first and later commits. */
const BATCHES_MAX = 40
/** A kill comes up to this long after the last awaited acknowledgement: about two commits with a flush. */
const DELAY_MS_MAX = 4
const WRITER = new URL('./lmdb-writer.mjs', import.meta.url).pathname

interface Acknowledged {
  readonly writeId?: string
  readonly rows: readonly { readonly key: RowKey; readonly status: string; readonly position: Position }[]
}

test.each<{ durability: LmdbDurability; writers: number }>([
  { durability: 'machine', writers: 1 },
  { durability: 'process', writers: 1 },
  // One server has a folder at a time, but nothing in a write may rest on that.
  { durability: 'machine', writers: 2 },
])('killed writers lose nothing acknowledged: $writers at a time, durability $durability', async (run) => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000)
  console.log(`CRASH_SEED=${seed}`)
  const random = mulberry32(seed)
  const dir = await mkdtemp(join(tmpdir(), 'lmdb-kill-'))
  const { durability } = run
  const acknowledged: Acknowledged[] = []
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const writers = Array.from({ length: run.writers }, (_, writer) =>
        writeUntilKilled(dir, durability, `${kill}-${writer}`, random),
      )
      acknowledged.push(...(await Promise.all(writers)).flat())
      const store = await openLmdbStore({ dir, shardCount: 2, clock: systemClock, ...LMDB_LIMITS, durability })
      await checkStore(store, acknowledged)
      await store.close()
    }
    expect(acknowledged.length).toBeGreaterThan(KILLS)
  } finally {
    await rm(dir, { recursive: true })
  }
})

/** Runs a writer, kills it at a random moment, and gives back all that it acknowledged. */
async function writeUntilKilled(
  dir: string,
  durability: LmdbDurability,
  run: string,
  random: () => number,
): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [WRITER, dir, durability, run], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const batches: Acknowledged[] = []
  const killAfter = Math.floor(random() * BATCHES_MAX)
  const delayMs = random() * DELAY_MS_MAX
  for await (const line of createInterface({ input: child.stdout })) {
    const printed = JSON.parse(line) as Acknowledged | { readonly opened: true }
    if ('rows' in printed) batches.push(printed)
    if (batches.length === killAfter) killLater(child, delayMs)
  }
  await closed
  expect(child.signalCode).toBe('SIGKILL')
  return batches
}

function killLater(child: ChildProcess, delayMs: number): void {
  const until = performance.now() + delayMs
  const check = (): void => {
    if (performance.now() < until) setImmediate(check)
    else child.kill('SIGKILL')
  }
  check()
}

async function checkStore(store: OnlineStore, acknowledged: readonly Acknowledged[]): Promise<void> {
  const entries = new Map<Position, OutboxEntry>()
  for (const shard of [0, 1] as Shard[]) {
    for (const entry of await store.readOutbox(shard, NO_POSITION, { rows: 10_000_000, bytes: 10_000_000_000 })) {
      expect(entries.has(entry.position)).toBe(false)
      entries.set(entry.position, entry)
    }
  }
  const depth = await store.outboxDepth()
  expect(depth.rows).toBe(entries.size)

  for (const { rows } of acknowledged) {
    for (const { key, position } of rows) expect(entries.get(position)?.key).toBe(key)
  }

  const greatest = new Map<RowKey, Buffer>()
  for (const { key, row } of entries.values()) {
    const other = greatest.get(key)
    if (other === undefined || compareRowVersions(row, other) > 0) greatest.set(key, row)
  }
  expect(await store.readMany([...greatest.keys()])).toEqual([...greatest.values()])

  const lastWithId = acknowledged.findLast((write) => write.writeId !== undefined)
  if (lastWithId?.writeId !== undefined) {
    const outcomes = await store.write([], { writeId: lastWithId.writeId, contentHash: 'hash' })
    expect(outcomes).toEqual(lastWithId.rows.map(({ status, position }) => ({ status, position })))
    expect(await store.outboxDepth()).toEqual(depth)
  }
  const bytes = [...entries.values()].reduce((sum, { key, row }) => sum + key.length + row.length, 0)
  expect(depth.bytes).toBe(bytes)
}

/** A small seeded generator (Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
