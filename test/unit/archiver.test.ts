import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { encodeRow } from '../../src/domain/row-codec.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import {
  archivedPositions,
  archiverLimits,
  bench,
  LEASE_THIRD_MS,
  names,
  rowsOf,
  sorted,
  started,
} from './archiver-fixture.ts'
import { airport, NOW_MICROS, route } from './writing-fixture.ts'
import { type MemoryOffline, offlineDown } from './writing-stores.ts'

test('rows of every view and shard are archived once, in order of position per shard, and leave the outbox', async () => {
  const { online, offline, archiver } = await bench()
  const made = await started(archiver())
  const airports = await online.write(await rowsOf(airport, ...names(30)))
  const routes = await online.write(await rowsOf(route, ...names(20)))
  await made.flush()
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(airports))
  expect(archivedPositions(offline, 'route')).toEqual(sorted(routes))
  await made.flush()
  expect(await online.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
})

test('a row waits for the interval, and a full batch does not', async () => {
  const { online, offline, clock, archiver } = await bench(1)
  const made = await started(archiver())
  const [first] = await online.write(await rowsOf(route, 'a'))
  made.accepted(1, 40)
  expect(offline.appends).toEqual([])
  expect(clock.pending).toEqual([LEASE_THIRD_MS, 2000])
  const committed = nextAppend(offline)
  clock.advance(1999)
  expect(offline.appends).toEqual([])
  clock.advance(1)
  await committed
  expect(offline.positions('route')).toEqual([first!.position])

  const full = nextAppend(offline)
  await online.write(await rowsOf(route, ...names(8)))
  made.accepted(8, 400)
  await full
  expect(offline.positions('route')).toHaveLength(9)
})

function nextAppend(offline: MemoryOffline): Promise<void> {
  return new Promise((resolve) => {
    offline.after = () => {
      offline.after = () => {}
      resolve()
    }
  })
}

test('writers that wait for the offline commit share it', async () => {
  const { online, offline, archiver } = await bench(1)
  const made = await started(archiver({ limits: { ...archiverLimits, batchRows: 1000 } }))
  const writers = names(50).map(async (name) => {
    const [outcome] = await online.write(await rowsOf(route, name))
    await made.archived({ storageId: 'route', shard: 0 as Shard, position: outcome!.position }, undefined, '')
    expect(offline.positions('route')).toContain(outcome!.position)
  })
  await Promise.all(writers)
  expect(offline.appends.length).toBeLessThan(50)
})

test('rows that arrive during a pass wait for the interval, so that endless writers do not make endless commits', async () => {
  const { online, offline, clock, archiver } = await bench(1)
  const made = await started(archiver())
  await online.write(await rowsOf(route, 'first'))
  offline.before = async () => {
    await online.write(await rowsOf(route, 'during'))
    made.accepted(1, 40)
  }
  const idle = new Promise<void>((resolve) => {
    const after = clock.after.bind(clock)
    clock.after = (delayMs, run) => {
      resolve()
      return after(delayMs, run)
    }
  })
  clock.advance(2000)
  await idle
  expect(offline.appends).toEqual([{ storageId: 'route', rows: 1 }])
  offline.before = () => {}
  expect((await online.outboxDepth()).rows).toBe(1)
})

test('a crash between commit and trim adds nothing twice', async () => {
  const { online, offline, archiver } = await bench(2)
  const made = archiver({
    online: { ...online, trimOutbox: () => Promise.reject(new TwinstoreError('UNAVAILABLE', 'crashed')) },
  })
  await made.start()
  const outcomes = await online.write(await rowsOf(route, ...names(20)))
  await expect(made.flush()).rejects.toThrow('crashed')
  expect((await online.outboxDepth()).rows).toBe(20)

  const again = archiver()
  await again.start()
  await again.flush()
  expect(archivedPositions(offline, 'route')).toEqual(sorted(outcomes))
  expect((await online.outboxDepth()).rows).toBe(0)
})

test('a down offline store fails flushes at once, is retried with growing delays, and loses nothing', async () => {
  const { online, offline, clock, faults, archiver } = await bench(1)
  const made = await started(archiver())
  offline.before = () => {
    throw offlineDown()
  }
  const [outcome] = await online.write(await rowsOf(route, 'a'))
  const row = { storageId: 'route', shard: 0 as Shard, position: outcome!.position }
  const waiting = made.archived(row, undefined, '')
  await expect(made.flush()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /the offline folder is gone/ })
  expect(made.status()).toMatchObject({ error: 'the offline folder is gone', blocked: [{ storageId: 'route' }] })
  const delays: number[] = []
  for (let retry = 0; retry < 6; retry++) {
    await expect(made.flush()).rejects.toThrow('the offline folder is gone')
    delays.push(Math.min(...clock.pending))
  }
  expect(delays.slice(-3)).toEqual([1000, 1000, 1000])
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(faults.map((fault) => fault.message)).toEqual(['the offline folder is gone'])

  const gone = AbortSignal.abort(new TwinstoreError('DEADLINE_EXCEEDED', 'late'))
  await expect(made.archived(row, gone, 'accepted online')).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    message: 'accepted online',
  })

  offline.before = () => {}
  clock.advance(1000)
  await waiting
  expect(offline.positions('route')).toEqual([outcome!.position])
  await made.flush()
  expect(made.status()).toEqual({ failures: 0, blocked: [], unreachable: [], rowsSetAside: 0 })
})

test('a view whose table fails holds up neither the others nor their waiters, and catches up', async () => {
  const { online, offline, archiver } = await bench(1)
  const made = await started(archiver())
  offline.before = (id) => {
    if (id === 'airport') throw offlineDown()
  }
  const stuck = await online.write(await rowsOf(airport, ...names(3)))
  const flowing = await online.write(await rowsOf(route, ...names(30)))
  await made.archived({ storageId: 'route', shard: 0 as Shard, position: flowing.at(-1)!.position }, undefined, '')
  await made.flush(undefined, ['route'])
  await expect(made.flush(undefined, ['airport'])).rejects.toThrow('the offline folder is gone')
  expect(archivedPositions(offline, 'route')).toEqual(sorted(flowing))
  expect((await online.outboxDepth()).rows).toBe(33)

  offline.before = () => {}
  await made.flush()
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(stuck))
  expect(archivedPositions(offline, 'route')).toEqual(sorted(flowing))
  expect((await online.outboxDepth()).rows).toBe(0)
})

test('rows of a view that no definitions know stay in the outbox until some do', async () => {
  const { online, offline, definitions, faults, archiver } = await bench(2)
  definitions.apply(route)
  const orphans = await online.write(await rowsOf(airport, ...names(5)))
  const others = await online.write(await rowsOf(route, ...names(20)))
  const made = archiver()
  await made.start()
  await made.flush()
  await made.flush()
  expect(archivedPositions(offline, 'route')).toEqual(sorted(others))
  expect(offline.positions('airport')).toEqual([])
  expect(made.status().blocked).toMatchObject([{ storageId: 'airport', retryHelps: false }])
  expect(made.status().error).toBeUndefined()
  expect(faults).toHaveLength(1)

  definitions.apply(route, airport)
  await made.flush()
  expect(archivedPositions(offline, 'airport')).toEqual(sorted(orphans))
  expect((await online.outboxDepth()).rows).toBe(0)
})

test('rows of a view of earlier definitions find it in their snapshots', async () => {
  const { online, offline, definitions, archiver } = await bench(1)
  definitions.apply(route)
  const rows = await online.write(await rowsOf(airport, 'a'))
  const made = archiver({ earlierViews: async (id) => (id === 'airport' ? airport : undefined) })
  await made.start()
  await made.flush()
  expect(offline.positions('airport')).toEqual(sorted(rows))
})

/** The store with one outbox row damaged on its way out, as a disk fault would leave it. */
function damaged(online: OnlineStore, position: Position, at: number): OnlineStore {
  return {
    ...online,
    readOutbox: async (...args) =>
      (await online.readOutbox(...args)).map((entry) => {
        const row = Buffer.from(entry.row)
        if (entry.position === position) row[at] = row[at]! ^ 0xff
        return { ...entry, row }
      }),
  }
}

test.each([
  ['body', 40, 'checksum mismatch'],
  ['position', 25, 'its position is not that of its outbox entry'],
])(
  'a row with a corrupt %s is set aside with its bytes, and the rows around it are archived',
  async (_, at, problem) => {
    const { online, offline, setAside, faults, archiver } = await bench(1)
    const rows = await rowsOf(route, 'a', 'b', 'c')
    const outcomes = await online.write(rows)
    const made = archiver({ online: damaged(online, outcomes[1]!.position, at) })
    await made.start()
    await made.flush()
    expect(offline.positions('route')).toEqual([outcomes[0]!.position, outcomes[2]!.position])
    expect(setAside).toMatchObject([{ key: rows[1]!.key, position: outcomes[1]!.position, shard: 0 }])
    expect(setAside[0]!.row).toHaveLength(rows[1]!.row.length)
    const key = Buffer.from(rows[1]!.key, 'latin1').toString('hex')
    expect(faults.map((fault) => fault.message)).toEqual([
      expect.stringMatching(`${key}.*set aside: corrupt row: ${problem}`),
    ])
    expect(made.status().rowsSetAside).toBe(1)
    expect((await online.outboxDepth()).rows).toBe(0)
  },
)

test('a row that only its view shows to be wrong is set aside when the append refuses it; a faulty table blames no row', async () => {
  const { online, offline, setAside, archiver } = await bench(1)
  const wrong = (await rowsOf(route, 'b'))[0]!
  const values = [Buffer.from([0x12, 0x01, 0x78])]
  const row = encodeRow({ schemaId: 1, eventMicros: 1, createdMicros: 1, position: NO_POSITION, values })
  const outcomes = await online.write([...(await rowsOf(route, 'a')), { key: wrong.key, row }])
  offline.before = (_, entries) => {
    if (entries.length > 1) throw new TwinstoreError('DATA_LOSS', 'some row is not readable')
  }
  const made = archiver()
  await made.start()
  await made.flush()
  expect(setAside.map((aside) => aside.position)).toEqual([outcomes[1]!.position])
  expect(offline.positions('route')).toEqual([outcomes[0]!.position])

  offline.before = () => {
    throw new TwinstoreError('DATA_LOSS', 'the log is damaged')
  }
  await online.write(await rowsOf(route, 'c'))
  await expect(made.flush()).rejects.toThrow('the log is damaged')
  expect(setAside).toHaveLength(1)
  expect((await online.outboxDepth()).rows).toBe(1)
})

test('a corrupt row stays in the outbox while it cannot be kept elsewhere', async () => {
  const { online, setAside, archiver } = await bench(1)
  const [outcome] = await online.write(await rowsOf(route, 'a'))
  let full = true
  const made = archiver({
    online: damaged(online, outcome!.position, 40),
    setAside: async (row) => {
      if (full) throw new TwinstoreError('UNAVAILABLE', 'disk full')
      setAside.push(row)
    },
  })
  await made.start()
  await expect(made.flush()).rejects.toThrow('disk full')
  expect((await online.outboxDepth()).rows).toBe(1)
  full = false
  await made.flush()
  expect(setAside).toHaveLength(1)
})

test('a restored older online store gives no position twice', async () => {
  const { online, offline, archiver } = await bench(1)
  const known = (NOW_MICROS + 5_000_000) as Position
  offline.table('airport').positions.set(`${online.storeId}/0`, known)
  await archiver().start()
  const [outcome] = await online.write(await rowsOf(airport, 'a'))
  expect(outcome!.position).toBeGreaterThan(known)
})

test('a flush ends although writers never do', async () => {
  const { online, offline, archiver } = await bench(1)
  const made = await started(archiver())
  const [first] = await online.write(await rowsOf(route, 'first'))
  let written = 0
  offline.before = async () => {
    if (written < 500) await online.write(await rowsOf(route, `more${written++}`))
  }
  await made.flush()
  expect(offline.positions('route')).toContain(first!.position)
  expect(written).toBeLessThan(500)
  offline.before = () => {}
})

test('stop archives what is left, or says that it could not in time', async () => {
  const { online, offline, clock, archiver } = await bench(1)
  const made = await started(archiver())
  await online.write(await rowsOf(route, 'a'))
  expect(await made.stop(1000)).toBe(true)
  expect(offline.positions('route')).toHaveLength(1)
  expect(clock.pending).toEqual([])
  await expect(online.write(await rowsOf(route, 'b')).then(() => made.flush())).rejects.toThrow('not running')

  const hanging = archiver()
  const reached = new Promise<void>((resolve) => {
    offline.before = () => {
      resolve()
      return new Promise(() => {})
    }
  })
  await hanging.start()
  const stopped = hanging.stop(1000)
  await reached
  clock.advance(1000)
  expect(await stopped).toBe(false)
})

test('every acknowledged row is archived exactly once, whatever fails and wherever it crashes', async () => {
  const fault = fc.constantFrom('none', 'before append', 'after append', 'before trim', 'after trim', 'read')
  const step = fc.record({ rows: fc.integer({ min: 0, max: 12 }), fault, crash: fc.boolean(), airports: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const { online, offline, archiver } = await bench(2)
      const acknowledged: Record<string, number[]> = { airport: [], route: [] }
      let failing = 'none'
      const failAt = (place: string) => {
        if (failing !== place) return
        failing = 'none'
        throw new TwinstoreError('UNAVAILABLE', `failed ${place}`)
      }
      offline.before = () => failAt('before append')
      offline.after = () => failAt('after append')
      const faulty: OnlineStore = {
        ...online,
        readOutbox: async (...args) => {
          failAt('read')
          return online.readOutbox(...args)
        },
        trimOutbox: async (...args) => {
          failAt('before trim')
          await online.trimOutbox(...args)
          failAt('after trim')
        },
      }
      let made = await started(archiver({ online: faulty }))
      for (const [index, { rows, fault: place, crash, airports }] of steps.entries()) {
        const view = airports ? airport : route
        const keys = names(rows).map((name) => `${name}/${index % 3}`)
        const outcomes = rows === 0 ? [] : await online.write(await rowsOf(view, ...keys))
        acknowledged[view.name]!.push(...outcomes.map((outcome) => outcome.position))
        failing = place
        await made.flush().catch((error: unknown) => expect(String(error)).toContain('failed'))
        failing = 'none'
        if (crash) {
          // Nothing of the old archiver but the stores is left; a stop that may do nothing stands in for the kill.
          failing = 'read'
          await made.stop(0)
          failing = 'none'
          made = archiver({ online: faulty })
          await made.start()
        }
      }
      await made.flush()
      for (const id of ['airport', 'route']) {
        expect(archivedPositions(offline, id)).toEqual([...acknowledged[id]!].sort((a, b) => a - b))
      }
      expect((await online.outboxDepth()).rows).toBe(0)
    }),
    { numRuns: 25 },
  )
})
