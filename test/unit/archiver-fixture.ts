/** An archiver over a real embedded store, with everything else of its surroundings in the test's hands. */
import type { Shard } from '../../src/domain/entity-key.ts'
import type { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import type { OnlineStore, RowOutcome, RowWrite } from '../../src/online/online-store.ts'
import type { Archiver } from '../../src/writing/archiver.ts'
import { encodeRows } from '../../src/writing/feature-write-service.ts'
import { type ArchiverLimits, type ArchiverParts, createArchiver } from '../../src/writing/outbox-archiver.ts'
import type { SetAsideRow } from '../../src/writing/view-appends.ts'
import { readWriteRequest } from '../../src/writing/write-request.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { airport, limits, ManualClock, NOW_MICROS, route, TestDefinitions, turn } from './writing-fixture.ts'
import { MemoryOffline, openTestStore } from './writing-stores.ts'

/** Longer than any test moves its clock; tests of claims take a shorter one. */
export const LEASE_THIRD_MS = 1_000_000

export const archiverLimits: ArchiverLimits = {
  intervalMs: 2000,
  batchRows: 8,
  batchBytes: 100_000,
  shardsAtOnce: 3,
  viewsAtOnce: 2,
  leaseMs: 3 * LEASE_THIRD_MS,
  retry: { minMs: 100, maxMs: 1000 },
}

export interface Bench {
  readonly online: OnlineStore
  readonly offline: MemoryOffline
  readonly definitions: TestDefinitions
  readonly clock: ManualClock
  readonly setAside: SetAsideRow[]
  readonly faults: TwinstoreError[]
  readonly tailsLost: Shard[]
  archiver(overrides?: Partial<ArchiverParts>): Archiver
}

export async function bench(shardCount = 4, store?: OnlineStore): Promise<Bench> {
  const online = store ?? (await openTestStore(shardCount))
  const offline = new MemoryOffline()
  const definitions = new TestDefinitions(airport, route)
  const clock = new ManualClock()
  const setAside: SetAsideRow[] = []
  const faults: TwinstoreError[] = []
  const tailsLost: Shard[] = []
  const parts: ArchiverParts = {
    online,
    offline: offline.store,
    definitions,
    clock,
    random: () => 0,
    owner: 'one',
    limits: archiverLimits,
    setAside: async (row) => void setAside.push(row),
    earlierViews: async () => undefined,
    onFault: (fault) => void faults.push(fault),
    onTailLost: (shard) => void tailsLost.push(shard),
  }
  const archiver = (more: Partial<ArchiverParts> = {}) => createArchiver({ ...parts, ...more })
  return { online, offline, definitions, clock, setAside, faults, tailsLost, archiver }
}

export async function started(made: Archiver): Promise<Archiver> {
  await made.start()
  // The first pass is over when a flush is answered.
  await made.flush()
  return made
}

export async function rowsOf(view: FeatureView, ...keys: readonly string[]): Promise<RowWrite[]> {
  const rows = keys.map((name) => ({
    values: view === airport ? { airport: name, terminal: 1n, mean_delay: 1 } : { route: name, max_delay: 2 },
  }))
  const request = readWriteRequest(encodeWriteRequest(view, rows), 1000)
  return encodeRows(view, request, NOW_MICROS, { ...limits, rowsMax: 1000 }, turn)
}

export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `n${index}`)
}

export function sorted(outcomes: readonly RowOutcome[]): number[] {
  return outcomes.map((outcome) => outcome.position).sort((a, b) => a - b)
}

export function archivedPositions(offline: MemoryOffline, id: string): number[] {
  return [...offline.positions(id)].sort((a, b) => a - b)
}
