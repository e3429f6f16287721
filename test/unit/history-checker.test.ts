/** The history checker finds each kind of violation that it is there for, and nothing in a history that keeps the guarantees. */
import { describe, expect, test } from 'vitest'
import { check } from '../support/history/check.ts'
import type { Acknowledgement, Fault, History, Read, StoredRow, Write } from '../support/history/history.ts'

const BOUNDS = { cacheTtlMs: 5000, staleMs: 20_000, convergedMs: 1000, settleMs: 3000 }
const KEY = 7

function ack(atMs: number, position: number, more: Partial<Acknowledgement> = {}): Acknowledgement {
  return { atMs, instance: 'A1', status: 'APPLIED', position: BigInt(position), ...more }
}

/** Sent 10 ms before its first acknowledgement. */
function write(
  attempt: number,
  eventMicros: number,
  acks: readonly Acknowledgement[],
  more: Partial<Write> = {},
): Write {
  const ackedMs = acks[0]?.atMs ?? 0
  return {
    key: KEY,
    attempt: BigInt(attempt),
    eventMicros: BigInt(eventMicros),
    sentMs: ackedMs - 10,
    endedMs: ackedMs,
    fate: acks.length > 0 ? 'acknowledged' : 'unknown',
    acks,
    ...more,
  }
}

function read(sentMs: number, attempt: number | undefined, more: Partial<Read> = {}): Read {
  return {
    key: KEY,
    instance: 'B1',
    consistency: 'FRESH',
    sentMs,
    endedMs: sentMs + 1,
    status: attempt === undefined ? 'NOT_FOUND' : 'PRESENT',
    attempt: attempt === undefined ? undefined : BigInt(attempt),
    isStale: false,
    ...more,
  }
}

const cached = (sentMs: number, attempt: number | undefined, more: Partial<Read> = {}): Read =>
  read(sentMs, attempt, { consistency: 'CACHED', ...more })

function stored(attempt: number, eventMicros: number, position: number): StoredRow {
  return { key: KEY, attempt: BigInt(attempt), eventMicros: BigInt(eventMicros), position: BigInt(position) }
}

/** Two writes through A1, the second newer, and what everyone should see of them. */
const SOUND: History = {
  writes: [write(1, 100, [ack(1000, 11)]), write(2, 200, [ack(2000, 22)])],
  reads: [read(1001, 1), read(2001, 2), cached(2001, 2, { instance: 'A1' }), cached(2500, 1), cached(3100, 2)],
  faults: [],
  offline: [stored(1, 100, 11), stored(2, 200, 22)],
  final: [read(9000, 2), read(9000, 2, { instance: 'A1' })],
  bounds: BOUNDS,
}

function problems(changed: Partial<History>): string[] {
  return check({ ...SOUND, ...changed }).map((violation) => `${violation.rule} ${violation.problem}`)
}

function problemsOfReads(reads: readonly Read[], changed: Partial<History> = {}): string[] {
  return problems({ reads, ...changed })
}

test('a history that keeps the guarantees has no violation', () => {
  expect(check(SOUND)).toEqual([])
})

describe('G1', () => {
  test('an acknowledged row that is lost', () => {
    const found = problems({ offline: [stored(2, 200, 22)] })
    expect(found).toEqual(['G1 row #1 was acknowledged and is not in the history'])
  })

  test('a row that is in the history twice, whatever its fate', () => {
    expect(problems({ offline: [...SOUND.offline, stored(1, 100, 12)] })).toContain(
      'G1 row #1 is in the history 2 times (acknowledged)',
    )
    const unknown = { writes: [...SOUND.writes, write(3, 50, [])] }
    const row = stored(3, 50, 30)
    expect(problems({ ...unknown, offline: [...SOUND.offline, row] })).toEqual([])
    expect(problems(unknown)).toEqual([])
    expect(problems({ ...unknown, offline: [...SOUND.offline, row, row] })).toEqual([
      'G1 row #3 is in the history 2 times (unknown)',
    ])
  })

  test('a refused row that was written all the same', () => {
    const writes = [...SOUND.writes, write(3, 50, [], { fate: 'refused' })]
    expect(problems({ writes })).toEqual([])
    expect(problems({ writes, offline: [...SOUND.offline, stored(3, 50, 30)] })).toEqual([
      'G1 row #3 was refused and is in the history',
    ])
  })

  test('a row that nobody sent, or that is there as something else', () => {
    expect(problems({ offline: [...SOUND.offline, stored(9, 10, 1)] })).toEqual([
      'G1 row #9 in the history was never sent',
    ])
    expect(problems({ offline: [stored(1, 101, 11), stored(2, 200, 22)] })).toContain(
      'G1 row #1 is in the history with another key (7) or event time (101) than it was sent with',
    )
  })

  test('a position other than the acknowledged one', () => {
    expect(problems({ offline: [stored(1, 100, 12), stored(2, 200, 22)] })).toEqual([
      'G1 row #1 was acknowledged at position 11 and is in the history at 12',
    ])
  })

  test('a repeated write that is answered otherwise', () => {
    const twice = (position: number): Write[] => [
      write(1, 100, [ack(1000, 11), ack(1100, position, { instance: 'C1' })]),
      SOUND.writes[1]!,
    ]
    expect(problems({ writes: twice(11) })).toEqual([])
    expect(problems({ writes: twice(15) })).toEqual([
      'G1 row #1 was acknowledged as APPLIED at 11, and as APPLIED at 15 when repeated through C1',
    ])
  })
})

describe('G2', () => {
  test('an online value that is not the greatest version', () => {
    expect(problems({ final: [read(9000, 1)] })).toEqual([
      'G2 at the end B1 answers row #1; the greatest version of the history is row #2',
    ])
    expect(problems({ final: [read(9000, undefined)] })).toEqual([
      'G2 at the end B1 answers NOT_FOUND; the greatest version of the history is row #2',
    ])
  })

  test('of one event time the later write is the greatest', () => {
    const tie = {
      writes: [write(1, 100, [ack(1000, 11)]), write(2, 100, [ack(2000, 22)])],
      offline: [stored(2, 100, 22), stored(1, 100, 11)],
    }
    expect(problems(tie)).toEqual([])
    expect(problems({ ...tie, reads: [], final: [read(9000, 1)] })).toHaveLength(1)
  })

  test('outcomes that the order of the rows does not give', () => {
    const late = (status: 'APPLIED' | 'SUPERSEDED') => ({
      writes: [...SOUND.writes, write(3, 50, [ack(3000, 33, { status })])],
      offline: [...SOUND.offline, stored(3, 50, 33)],
    })
    expect(problems(late('SUPERSEDED'))).toEqual([])
    expect(problems(late('APPLIED'))).toEqual([
      'G2 row #3 was acknowledged as APPLIED; with row #2 before it, it is SUPERSEDED',
    ])
    const first = [write(1, 100, [ack(1000, 11, { status: 'SUPERSEDED' })]), SOUND.writes[1]!]
    expect(problems({ writes: first })).toEqual([
      'G2 row #1 was acknowledged as SUPERSEDED; with row #1 before it, it is APPLIED',
    ])
  })

  test('a position below that of an earlier write', () => {
    const found = problems({
      writes: [write(1, 200, [ack(1000, 25)]), SOUND.writes[1]!],
      reads: [],
      offline: [stored(1, 200, 25), stored(2, 200, 22)],
      final: [read(9000, 1)],
    })
    expect(found).toEqual([
      'G2 row #2 has position 22, not above that of row #1 (25), which was acknowledged before it was sent',
    ])
  })
})

describe('G3, FRESH', () => {
  test('a read that is older than an acknowledged write, through whatever instance', () => {
    for (const instance of ['A1', 'B1']) {
      expect(problemsOfReads([read(2001, 1, { instance })])).toEqual([
        `G3 FRESH read through ${instance} at 2001.0 ms saw row #1: row #2 was acknowledged at 2000.0 ms before the read was sent`,
      ])
    }
    expect(problemsOfReads([read(2001, undefined)])).toHaveLength(1)
  })

  test('a read sent before the acknowledgement may see either', () => {
    expect(problemsOfReads([read(1999, 1), read(1999, 2)])).toEqual([])
  })

  test('a fault is no excuse, but no answer is no wrong answer', () => {
    const faults = [fault(0, 9000)]
    expect(problemsOfReads([read(2001, 1)], { faults })).toHaveLength(1)
    expect(problemsOfReads([read(2001, undefined, { status: 'UNAVAILABLE' })], { faults })).toEqual([])
  })

  test('never from an expired entry, and never a row of another key', () => {
    expect(problemsOfReads([read(2001, 2, { isStale: true })])).toHaveLength(1)
    expect(problemsOfReads([read(2001, 99)])[0]).toContain('nobody wrote that row to this key')
  })

  test('a row of unknown fate that was lost later is compared by its event time', () => {
    const writes = [...SOUND.writes, write(3, 300, []), write(4, 150, [])]
    expect(problemsOfReads([read(2001, 3)], { writes })).toEqual([])
    expect(problemsOfReads([read(2001, 4)], { writes })).toHaveLength(1)
  })
})

describe('G3, CACHED', () => {
  test('through the instance that took the write: never older, whatever is wrong', () => {
    const own = cached(2001, 1, { instance: 'A1' })
    expect(problemsOfReads([own])[0]).toContain('by this very instance')
    expect(problemsOfReads([own], { faults: [fault(0, 9000)] })).toHaveLength(1)
    expect(problemsOfReads([{ ...own, isStale: true }], { faults: [fault(0, 9000)] })).toHaveLength(1)
    expect(problemsOfReads([{ ...own, instance: 'A2' }]), 'another life of it').toEqual([])
  })

  test('through another instance: within a second while nothing is wrong', () => {
    expect(problemsOfReads([cached(2999, 1)])).toEqual([])
    expect(problemsOfReads([cached(3001, 1)])[0]).toContain('1000 ms before, and nothing was wrong')
  })

  test('a fault excuses that, also one that ended lately, and not one that is long over or yet to come', () => {
    const late = [cached(6500, 1)]
    expect(problemsOfReads(late, { faults: [fault(5000, 6000)] })).toEqual([])
    expect(problemsOfReads(late, { faults: [fault(2100, 2600)] })).toEqual([])
    expect(problemsOfReads(late, { faults: [fault(2100, 2400)] })).toHaveLength(1)
    expect(problemsOfReads(late, { faults: [fault(6600, 9000)] })).toHaveLength(1)
  })

  test('nothing excuses more than the TTL', () => {
    const faults = [fault(0, 9000)]
    expect(problemsOfReads([cached(6999, 1)], { faults })).toEqual([])
    expect(problemsOfReads([cached(7001, 1)], { faults })[0]).toContain('longer before than the TTL')
  })

  test('flagged as stale: up to the bound of stale answers', () => {
    const stale = (sentMs: number): Read => cached(sentMs, 1, { isStale: true })
    expect(problemsOfReads([stale(21_999)])).toEqual([])
    expect(problemsOfReads([stale(22_001)])[0]).toContain('more than 20000 ms before')
  })
})

test('a violation comes with all that happened to its key, and many are counted', () => {
  const other = { ...write(5, 500, [ack(500, 5)]), key: 8 }
  const [violation] = check({
    ...SOUND,
    writes: [...SOUND.writes, other],
    faults: [fault(1500, 1600)],
    offline: [...SOUND.offline, { ...stored(5, 500, 5), key: 8 }],
    reads: [read(2001, 1)],
  })
  expect(violation!.history.split('\n').map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
    'history of key 7:',
    '990.0 ms write #1 sent, event 100',
    '1000.0 ms write #1 APPLIED at position 11 by A1',
    '1500.0 ms fault begins: pause (port 1)',
    '1600.0 ms fault ends: pause (port 1)',
    '1990.0 ms write #2 sent, event 200',
    '2000.0 ms write #2 APPLIED at position 22 by A1',
    '2001.0 ms read FRESH through B1, answered after 1.0 ms: #1',
    '9000.0 ms read FRESH through B1, answered after 1.0 ms: #2',
    '9000.0 ms read FRESH through A1, answered after 1.0 ms: #2',
    'offline #1 event 100 position 11',
    'offline #2 event 200 position 22',
  ])
  const many = check({ ...SOUND, reads: Array.from({ length: 50 }, () => read(2001, 1)) })
  expect(many).toHaveLength(20)
  expect(many.at(-1)!.problem).toContain('(and 30 more)')
})

function fault(beganMs: number, endedMs: number): Fault {
  return { kind: 'pause', detail: 'port 1', beganMs, endedMs }
}
