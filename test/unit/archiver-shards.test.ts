/** The archiver over many shards: shared commits, dead nodes, claims of several instances, and lost tails. */
import { expect, test } from 'vitest'
import { type Shard, shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import type { OnlineStore, RowOutcome, RowWrite } from '../../src/online/online-store.ts'
import { createSyncer } from '../../src/writing/syncer.ts'
import { archivedPositions, archiverLimits, bench, names, rowsOf, sorted, started } from './archiver-fixture.ts'
import { airport, ManualClock, route } from './writing-fixture.ts'
import { openReplicatedStore, openTestStore } from './writing-stores.ts'

const WHOLE = { rows: 10_000, bytes: 10_000_000 }

function shardOfRow(online: OnlineStore, row: RowWrite): Shard {
  return shardOf(splitRowKey(row.key).entityKey, online.shardCount)
}

/** Outcomes of the rows that belong to one of the shards. */
function within(online: OnlineStore, rows: readonly RowWrite[], outcomes: readonly RowOutcome[], shards: Set<Shard>) {
  return outcomes.filter((_, index) => shards.has(shardOfRow(online, rows[index]!)))
}

function archivedRow(online: OnlineStore, row: RowWrite, { position }: RowOutcome) {
  return { storageId: splitRowKey(row.key).storageId, shard: shardOfRow(online, row), position }
}

async function waitingShards(online: OnlineStore): Promise<Set<Shard>> {
  const waiting = new Set<Shard>()
  for (let shard = 0 as Shard; shard < online.shardCount; shard++) {
    if ((await online.readOutbox(shard, NO_POSITION, WHOLE)).length > 0) waiting.add(shard)
  }
  return waiting
}

test('the rows of a view are one commit, whatever their shards', async () => {
  const { online, offline, archiver } = await bench(16)
  const made = await started(archiver({ limits: { ...archiverLimits, batchRows: 10_000 } }))
  const airports = await online.write(await rowsOf(airport, ...names(300)))
  const routes = await online.write(await rowsOf(route, ...names(200)))
  expect((await waitingShards(online)).size).toBe(16)
  await made.flush()
  expect(offline.appends).toEqual([
    { storageId: 'airport', rows: 300 },
    { storageId: 'route', rows: 200 },
  ])
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(airports))
  expect(archivedPositions(offline, 'route')).toEqual(sorted(routes))
  expect((await waitingShards(online)).size).toBe(0)
})

test('a pass holds no more rows than the limit, which shards that are done leave to the others', async () => {
  const { online, offline, archiver } = await bench(8)
  const made = await started(archiver({ limits: { ...archiverLimits, batchRows: 40 } }))
  const rows = await rowsOf(route, ...names(400))
  const busy = rows.filter((row) => shardOfRow(online, row) === 3)
  const outcomes = await online.write([...rows, ...busy, ...busy, ...busy])
  await made.flush()
  expect(archivedPositions(offline, 'route')).toEqual(sorted(outcomes))
  const sizes = offline.appends.map((append) => append.rows)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(40)
  expect(sizes.filter((size) => size === 40).length).toBeGreaterThan(sizes.length / 2)
})

/** The store with shards that do not answer while they are in `dead`. */
function withDeadShards(online: OnlineStore, dead: Set<Shard>, asked: Shard[] = []): OnlineStore {
  const answer = <T>(shard: Shard, work: () => Promise<T>): Promise<T> => {
    asked.push(shard)
    if (dead.has(shard)) return Promise.reject(new TwinstoreError('UNAVAILABLE', `shard ${shard} does not answer`))
    return work()
  }
  return {
    ...online,
    readOutbox: (shard, ...more) => answer(shard, () => online.readOutbox(shard, ...more)),
    trimOutbox: (shard, through) => answer(shard, () => online.trimOutbox(shard, through)),
    lastPosition: (shard) => answer(shard, () => online.lastPosition(shard)),
  }
}

test('a dead shard stops neither the others nor their waiters, is told, is not hammered, and catches up', async () => {
  const { online, offline, clock, faults, archiver } = await bench(4)
  const dead = new Set<Shard>()
  const asked: Shard[] = []
  const made = await started(archiver({ online: withDeadShards(online, dead, asked) }))
  dead.add(2 as Shard)
  const rows = await rowsOf(route, ...names(40))
  const outcomes = await online.write(rows)
  const alive = within(online, rows, outcomes, new Set([0, 1, 3] as Shard[]))
  const wait = (index: number) => made.archived(archivedRow(online, rows[index]!, outcomes[index]!), undefined, '')
  const lost = rows.findIndex((row) => shardOfRow(online, row) === 2)
  const waitsForDead = wait(lost)
  await Promise.all(rows.map((row, index) => (shardOfRow(online, row) === 2 ? undefined : wait(index))))
  await expect(made.flush()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /shard 2 does not answer/ })
  expect(archivedPositions(offline, 'route')).toEqual(sorted(alive))
  expect(made.status()).toMatchObject({ error: 'shard 2 does not answer', unreachable: [{ shard: 2 }] })
  expect(faults.map((fault) => fault.message)).toEqual(['shard 2 does not answer'])

  asked.length = 0
  for (let pass = 0; pass < 10; pass++) {
    const [row] = await rowsOf(route, `n${pass}`)
    const [outcome] = await online.write([row!])
    if (shardOfRow(online, row!) !== 2) await made.archived(archivedRow(online, row!, outcome!), undefined, '')
  }
  expect(asked).not.toContain(2)

  dead.clear()
  clock.advance(1000)
  await waitsForDead
  await made.flush()
  expect(made.status()).toEqual({ failures: 0, blocked: [], unreachable: [], rowsSetAside: 0 })
  expect((await waitingShards(online)).size).toBe(0)
  expect(new Set(offline.positions('route')).size).toBe(offline.positions('route').length)
})

test('in an outage of the offline store a retry reads a page, not the backlog; then all is archived in order', async () => {
  const { online, offline, archiver } = await bench(2)
  let rowsRead = 0
  const counting: OnlineStore = {
    ...online,
    readOutbox: async (...args) => {
      const entries = await online.readOutbox(...args)
      rowsRead += entries.length
      return entries
    },
  }
  const made = await started(archiver({ online: counting }))
  let downViews = ['airport', 'route']
  offline.before = (id) => {
    if (downViews.includes(id)) throw new TwinstoreError('UNAVAILABLE', 'down')
  }
  const airports = await online.write(await rowsOf(airport, ...names(200)))
  const routes = await online.write(await rowsOf(route, ...names(200)))
  await expect(made.flush()).rejects.toThrow('down')
  expect(rowsRead).toBe(400)
  // A page of each view and shard.
  const perRetry = 2 * 2 * 4
  rowsRead = 0
  for (let retry = 1; retry <= 20; retry++) await expect(made.flush()).rejects.toThrow('down')
  expect(rowsRead).toBeLessThanOrEqual(20 * perRetry)
  const late = await online.write(await rowsOf(route, ...names(20)))
  await expect(made.flush()).rejects.toThrow('down')
  downViews = ['airport']
  await expect(made.flush(undefined, ['airport'])).rejects.toThrow('down')
  expect(archivedPositions(offline, 'route')).toEqual(sorted([...routes, ...late]))
  expect((await online.outboxDepth()).rows).toBe(420)
  rowsRead = 0
  for (let retry = 1; retry <= 20; retry++) await expect(made.flush()).rejects.toThrow('down')
  expect(rowsRead).toBeLessThanOrEqual(20 * perRetry)
  downViews = []
  await made.flush()
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(airports))
  expect(archivedPositions(offline, 'route')).toEqual(sorted([...routes, ...late]))
  expect((await online.outboxDepth()).rows).toBe(0)
})

/** Two instances with clocks of their own on one store, as different processes have. */
async function twoInstances(shardCount: number) {
  const storeClock = new ManualClock()
  const base = await bench(shardCount, await openTestStore(shardCount, storeClock))
  const leaseMs = 3000
  const make = (owner: string) => {
    const clock = new ManualClock()
    return {
      clock,
      archiver: base.archiver({ owner, clock, limits: { ...archiverLimits, intervalMs: 50_000, leaseMs } }),
    }
  }
  const one = make('one')
  const two = make('two')
  await one.archiver.start()
  await two.archiver.start()
  await Promise.all([one.archiver.flush(), two.archiver.flush()])
  // Told apart by what each archives by itself: `one` gives up its half when it claims the next time, `two` takes it then.
  await thirdOfLease(one.clock)
  await thirdOfLease(two.clock)
  return { ...base, storeClock, one, two }
}

/** Lets an instance claim again; the claim is over when its timer is set anew. */
async function thirdOfLease(clock: ManualClock): Promise<void> {
  clock.advance(1000)
  await expect.poll(() => clock.pending.some((delayMs) => delayMs === 1000)).toBe(true)
}

test('each instance archives what it has claimed; a killed one is taken over after its lease, a stopped one at once', async () => {
  const { online, offline, storeClock, one, two } = await twoInstances(8)
  const rows = await rowsOf(route, ...names(80))
  const outcomes = await online.write(rows)
  one.archiver.accepted(80, 1)
  await expect.poll(async () => (await waitingShards(online)).size).toBe(4)
  const taken = await waitingShards(online)
  expect(archivedPositions(offline, 'route')).toHaveLength(80 - within(online, rows, outcomes, taken).length)
  two.archiver.accepted(80, 1)
  await expect.poll(async () => (await waitingShards(online)).size).toBe(0)

  // `two` is killed: nothing moves its clock any more.
  await online.write(rows)
  storeClock.advance(3000)
  one.clock.advance(1000)
  await expect.poll(async () => (await waitingShards(online)).size).toBe(0)
  expect(offline.positions('route')).toHaveLength(160)

  await one.archiver.stop(1000)
  const claimed = await online.claimShards({ owner: 'three', ttlMs: 1000 })
  expect(claimed).toHaveLength(8)
})

test('what is waited for is archived at once by who waits, whoever has claimed it', async () => {
  const { online, offline, one } = await twoInstances(8)
  const rows = await rowsOf(route, ...names(40))
  const outcomes = await online.write(rows)
  await Promise.all(
    rows.map((row, index) => one.archiver.archived(archivedRow(online, row, outcomes[index]!), undefined, '')),
  )
  expect(archivedPositions(offline, 'route')).toEqual(sorted(outcomes))
  const more = await online.write(rows)
  await one.archiver.flush()
  expect(archivedPositions(offline, 'route')).toEqual([...sorted(outcomes), ...sorted(more)])
})

test('a row that another instance has archived and trimmed counts as archived', async () => {
  const { online, offline, one, two } = await twoInstances(4)
  const rows = await rowsOf(route, ...names(20))
  const outcomes = await online.write(rows)
  await two.archiver.flush()
  expect((await waitingShards(online)).size).toBe(0)
  await Promise.all(
    rows.map((row, index) => one.archiver.archived(archivedRow(online, row, outcomes[index]!), undefined, '')),
  )
  expect(offline.positions('route')).toHaveLength(20)
})

test('an instance that cannot claim goes on with what it holds', async () => {
  const storeClock = new ManualClock()
  const online = await openTestStore(4, storeClock)
  let down = false
  const claimShards: OnlineStore['claimShards'] = (claim) =>
    down ? Promise.reject(new TwinstoreError('UNAVAILABLE', 'no claims now')) : online.claimShards(claim)
  const { offline, clock, archiver } = await bench(4, { ...online, claimShards })
  const made = await started(archiver({ limits: { ...archiverLimits, leaseMs: 3000 } }))
  down = true
  clock.advance(1000)
  await expect.poll(() => made.status().error).toBe('no claims now')
  const outcomes = await online.write(await rowsOf(route, ...names(20)))
  made.accepted(20, 1)
  await expect.poll(() => offline.positions('route').length).toBe(20)
  expect(archivedPositions(offline, 'route')).toEqual(sorted(outcomes))
  down = false
  clock.advance(1000)
  await expect.poll(() => made.status().error).toBeUndefined()
})

test('stop flushes what is claimed, and leaves to others what is theirs', async () => {
  const { online, offline, one } = await twoInstances(8)
  const rows = await rowsOf(route, ...names(40))
  await online.write(rows)
  expect(await one.archiver.stop(1000)).toBe(true)
  expect((await waitingShards(online)).size).toBe(4)
  expect(offline.positions('route').length).toBeGreaterThan(0)
})

/** A store that fails over, an archiver on it, and a syncer that brings back what is lost. */
async function replicated() {
  const clock = new ManualClock()
  const store = await openReplicatedStore(4, clock)
  const made = await bench(4, store.online)
  const changed: string[] = []
  const syncer = createSyncer({
    online: store.online,
    offline: made.offline.store,
    definitions: made.definitions,
    changes: { applied: () => {}, changed: (keys) => void changed.push(...keys) },
    clock,
    flush: async () => {},
    seedRows: 10,
    passRows: 1000,
  })
  return { ...made, store, clock, syncer, changed }
}

test.each([
  ['nothing', 0],
  ['other rows', 3],
])('a failover that loses archived rows is noticed with %s written since, and they come back', async (_, writes) => {
  const { online, store, offline, clock, faults, tailsLost, syncer, changed, archiver } = await replicated()
  const made = await started(archiver())
  await online.write(await rowsOf(route, ...names(20)))
  await made.flush()
  await store.replicate()
  const late = await rowsOf(route, ...names(20), 'only late')
  const outcomes = await online.write(late)
  await made.flush()
  const expected = await online.readMany(late.map((row) => row.key))

  await store.failOver()
  expect(await online.readMany(late.map((row) => row.key))).not.toEqual(expected)
  // A failover takes its time, and positions are times.
  clock.advance(5000)
  const since = await rowsOf(airport, ...names(50))
  const written = writes === 0 ? [] : await online.write(since)
  made.accepted(100, 1)
  const shards = new Set(late.map((row) => shardOfRow(online, row)))
  await expect.poll(() => new Set(tailsLost)).toEqual(shards)
  expect(faults[0]).toMatchObject({ code: 'DATA_LOSS', message: /lost the end of the writes of shard \d/ })

  expect(await syncer.restore()).toEqual([
    { view: 'airport', rowsOnline: 0 },
    { view: 'route', rowsOnline: 21 },
  ])
  expect(await online.readMany(late.map((row) => row.key))).toEqual(expected)
  expect(changed).toHaveLength(21)
  const [after] = await online.write([late[0]!])
  expect(after!.position).toBeGreaterThan(Math.max(...sorted(outcomes)))
  await made.flush()
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(written))
  expect(archivedPositions(offline, 'route').at(-1)).toBe(after!.position)
  const told = tailsLost.length
  await made.flush()
  expect(tailsLost).toHaveLength(told)
})

test('a failover that loses nothing is no loss', async () => {
  const { online, store, offline, faults, tailsLost, archiver } = await replicated()
  const made = await started(archiver())
  await online.write(await rowsOf(route, ...names(20)))
  await made.flush()
  const waiting = await online.write(await rowsOf(route, ...names(20)))
  await store.replicate()
  await store.failOver()
  await made.flush()
  expect(tailsLost).toEqual([])
  expect(faults).toEqual([])
  expect(archivedPositions(offline, 'route').slice(20)).toEqual(sorted(waiting))
})

test('an instance that takes over a shard notices that its tail was lost before', async () => {
  const { online, offline, tailsLost, archiver } = await bench(2)
  const known = ((await online.reservePosition()) + 1000) as Position
  offline.table('route').positions.set(`${online.storeId}/1`, known)
  await archiver().start()
  expect(tailsLost).toEqual([1])
})
