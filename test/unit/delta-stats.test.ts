/** Statistics in the log, and the files that they rule out. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../src/domain/entity-key.ts'
import { compareUtf8 } from '../../src/lib/utf8-order.ts'
import type { AddFile } from '../../src/offline/delta/actions.ts'
import { addFileOf, blockChecksumsOf, dataFilePath, summaryOf } from '../../src/offline/delta/data-file.ts'
import { statsJson } from '../../src/offline/delta/file-stats.ts'
import { type FileFilter, pruneFiles } from '../../src/offline/delta/prune-files.ts'
import type { FileStats } from '../../src/offline/table-jobs.ts'
import { fileAt, NOW_MS, VIEW } from './delta-view.ts'

function boundsOf(column: string, min: unknown, max = min): { min: unknown; max: unknown } {
  const stats: FileStats = { numRecords: 1, minValues: { [column]: min }, maxValues: { [column]: max }, nullCount: {} }
  const { minValues, maxValues } = JSON.parse(statsJson(VIEW, stats))
  return { min: minValues[column], max: maxValues[column] }
}

const wellFormed = (maxLength: number) =>
  fc
    .string({ unit: fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code)), maxLength })
    .filter((text) => text.isWellFormed())

/** ISO 8601 with microseconds, as the jobs report it. */
function isoMicros(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = String(micros - seconds * 1_000_000).padStart(6, '0')
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}

test('strings compare as their UTF-8 bytes do', () => {
  fc.assert(
    fc.property(wellFormed(4), wellFormed(4), (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

describe('statistics', () => {
  test('a string bound of up to 32 characters is exact, a longer one is wide and short', () => {
    fc.assert(
      fc.property(wellFormed(80), (text) => {
        const { min, max } = boundsOf('a_string', text) as { min: string; max: string | undefined }
        expect([...min].length).toBeLessThanOrEqual(32)
        expect(text.startsWith(min)).toBe(true)
        if ([...text].length <= 32) expect([min, max]).toEqual([text, text])
        else if (max !== undefined) {
          expect(max.isWellFormed()).toBe(true)
          expect([...max].length).toBeLessThanOrEqual(32)
          expect(compareUtf8(max, text)).toBeGreaterThan(0)
        } else expect([...text].slice(0, 32).every((character) => character === '\u{10ffff}')).toBe(true)
      }),
    )
  })

  test('the last character that can be raised is raised, over the surrogates too', () => {
    expect(boundsOf('a_string', `${'a'.repeat(40)}`)).toEqual({ min: 'a'.repeat(32), max: `${'a'.repeat(31)}b` })
    expect(boundsOf('a_string', `${'a'.repeat(31)}\u{10ffff}z`).max).toBe(`${'a'.repeat(30)}b`)
    expect(boundsOf('a_string', `${'a'.repeat(31)}\ud7ffz`).max).toBe(`${'a'.repeat(31)}\ue000`)
    expect(boundsOf('a_string', '\u{10ffff}'.repeat(40)).max).toBeUndefined()
  })

  test('a timestamp has milliseconds, the minimum rounded down and the maximum up', () => {
    expect(boundsOf('event_timestamp', '2001-01-02T03:04:05.678901Z')).toEqual({
      min: '2001-01-02T03:04:05.678Z',
      max: '2001-01-02T03:04:05.679Z',
    })
    expect(boundsOf('event_timestamp', '2001-12-31T23:59:59.9991Z').max).toBe('2002-01-01T00:00:00.000Z')
    expect(boundsOf('a_timestamp', '1700-01-01T00:00:00+00')).toEqual({
      min: '1700-01-01T00:00:00.000Z',
      max: '1700-01-01T00:00:00.000Z',
    })
    fc.assert(
      fc.property(fc.integer({ min: -8e15, max: 8e15 }), (micros) => {
        const { min, max } = boundsOf('event_timestamp', isoMicros(micros)) as { min: string; max: string }
        expect(Date.parse(min)).toBe(Math.floor(micros / 1000))
        expect(Date.parse(max)).toBe(Math.ceil(micros / 1000) + 0)
      }),
    )
  })

  test.each([
    ['a_double', Number.NaN],
    ['a_double', Number.POSITIVE_INFINITY],
    ['a_float', Number.NEGATIVE_INFINITY],
    ['an_int64', 2 ** 53],
    ['an_int64', 2n ** 60n],
    ['an_int64', '5'],
    ['some_bytes', 'AAAA'],
    ['a_bool', true],
    ['a_list', ['a']],
    ['a_vector', [1, 2, 3]],
    ['a_timestamp', '294247-01-10T04:00:54.775807Z'],
    ['a_timestamp', '0044-03-15 (BC)T00:00:00Z'],
    ['a_timestamp', '9999-12-31T23:59:59.9999Z'],
    ['a_string', '\ud800'],
    ['event_date', '2001-01-01'],
    ['unknown_column', 1],
  ])('%s %s has no upper bound', (column, value) => {
    expect(boundsOf(column, value).max).toBeUndefined()
  })

  test.each([
    ['a_double', -0.5, -0.5],
    ['an_int32', -7, -7],
    ['an_int64', 12n, 12],
    ['carrier', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['write_position', 1_700_000_000_000_000, 1_700_000_000_000_000],
    ['write_origin', 'sync', 'sync'],
  ])('%s %s is bound by itself', (column, value, bound) => {
    expect(boundsOf(column, value)).toEqual({ min: bound, max: bound })
  })

  test('row and null counts are kept for every stored column, also lists', () => {
    const stats = {
      numRecords: 3,
      minValues: {},
      maxValues: {},
      nullCount: { a_list: 3, airport: 0, event_date: 0, other: 1 },
    }
    const add = addFileOf(
      VIEW,
      { path: '/tmp/x', eventDate: '2001-02-03', bytes: 77, stats },
      dataFilePath('2001-02-03', 'u'),
      NOW_MS,
      { whole: '0badcafe', blocks: { blockBytes: 40, crcs: Buffer.from('0102030405060708', 'hex') } },
    )
    expect(add).toEqual({
      path: 'event_date=2001-02-03/part-u.parquet',
      partitionValues: { event_date: '2001-02-03' },
      size: 77,
      modificationTime: NOW_MS,
      dataChange: true,
      stats: '{"numRecords":3,"minValues":{},"maxValues":{},"nullCount":{"airport":0,"a_list":3}}',
      tags: { 'twinstore.crc32': '0badcafe', 'twinstore.crc32.blocks': '40:AQIDBAUGBwg=' },
    })
    expect(summaryOf(add).rows).toBe(3)
    expect(blockChecksumsOf(add)).toEqual({ blockBytes: 40, crcs: Buffer.from('0102030405060708', 'hex') })
    expect(blockChecksumsOf({ ...add, size: 81 }), 'checksums of another size').toBeUndefined()
    expect(summaryOf(fileAt('x'))).toEqual({ rows: undefined, newestEventMicros: undefined })
  })
})

describe('pruning', () => {
  interface Row {
    readonly airport: string
    readonly carrier: bigint
    readonly eventMicros: number
  }
  const start = Date.UTC(2001, 0, 29) * 1000
  const micros = fc.integer({ min: start, max: start + 8 * 86_400_000_000 })
  const airport = fc.oneof(
    fc.constantFrom('ATL', 'ORD', ''),
    wellFormed(50),
    fc.nat(3).map((n) => 'x'.repeat(40) + n),
  )
  const carrier = fc.oneof(
    fc.bigInt(-3n, 3n),
    fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  )
  const row: fc.Arbitrary<Row> = fc.record({ airport, carrier, eventMicros: micros })

  function partitionOf(eventMicros: number, by: 'day' | 'month'): string {
    return new Date(eventMicros / 1000).toISOString().slice(0, by === 'day' ? 10 : 7) + (by === 'day' ? '' : '-01')
  }

  function fileOf(rows: readonly Row[], by: 'day' | 'month', withStats: boolean): AddFile {
    const least = (values: readonly string[]) => [...values].sort(compareUtf8)
    const airports = least(rows.map((one) => one.airport))
    const carriers = rows.map((one) => one.carrier).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const times = rows.map((one) => one.eventMicros).sort((a, b) => a - b)
    const bound = (at: number) => ({
      airport: airports.at(at),
      carrier: carriers.at(at),
      event_timestamp: isoMicros(times.at(at)!),
    })
    const stats = { numRecords: rows.length, minValues: bound(0), maxValues: bound(-1), nullCount: {} }
    const eventDate = partitionOf(times[0]!, by)
    const { stats: json, ...file } = addFileOf(VIEW, { path: '', eventDate, bytes: 1, stats }, 'x', 0, {
      whole: '00000000',
      blocks: { blockBytes: 16_384, crcs: Buffer.alloc(4) },
    })
    return withStats ? { ...file, stats: json! } : file
  }

  function matches(one: Row, filter: FileFilter): boolean {
    return (
      (filter.eventMicrosMin === undefined || one.eventMicros >= filter.eventMicrosMin) &&
      (filter.eventMicrosMax === undefined || one.eventMicros <= filter.eventMicrosMax) &&
      (filter.entities === undefined || filter.entities.some(([key, id]) => key === one.airport && id === one.carrier))
    )
  }

  test('never drops a file that holds a matching row', () => {
    const group = fc.record({
      rows: fc.array(row, { minLength: 1, maxLength: 6 }),
      by: fc.constantFrom('day' as const, 'month' as const),
      withStats: fc.boolean(),
      byEntity: fc.boolean(),
    })
    const time = fc.option(micros, { nil: undefined })
    fc.assert(
      fc.property(group, time, time, ({ rows, by, withStats, byEntity }, from, until) => {
        const sameDay = rows.filter((one) => partitionOf(one.eventMicros, by) === partitionOf(rows[0]!.eventMicros, by))
        const file = fileOf(sameDay, by, withStats)
        for (const wanted of rows) {
          const entity: readonly KeyValue[] = [wanted.airport, wanted.carrier]
          const filter: FileFilter = {
            ...(from === undefined ? {} : { eventMicrosMin: from }),
            ...(until === undefined ? {} : { eventMicrosMax: until }),
            ...(byEntity ? { entities: [['nowhere', 0n], entity] } : {}),
          }
          if (sameDay.some((one) => matches(one, filter))) expect(pruneFiles(VIEW, [file], filter)).toEqual([file])
        }
      }),
      { numRuns: 1000 },
    )
  })

  const january = fileOf(
    [
      { airport: 'BOS', carrier: 5n, eventMicros: start + 5000 },
      { airport: 'JFK', carrier: 7n, eventMicros: start + 9000 },
    ],
    'day',
    true,
  )

  test.each<[string, FileFilter, boolean]>([
    ['nothing asked', {}, true],
    ['up to before the partition', { eventMicrosMax: start - 1 }, false],
    ['up to before the first row', { eventMicrosMax: start + 4000 }, false],
    ['from the last row', { eventMicrosMin: start + 9000 }, true],
    ['from two milliseconds after the last row', { eventMicrosMin: start + 11000 }, false],
    ['an entity within', { entities: [['DFW', 6n]] }, true],
    ['a key below', { entities: [['ATL', 6n]] }, false],
    ['a key above', { entities: [['LAX', 6n]] }, false],
    ['an int64 above', { entities: [['DFW', 8n]] }, false],
    [
      'one of two entities within',
      {
        entities: [
          ['ATL', 6n],
          ['BOS', 5n],
        ],
      },
      true,
    ],
    ['no entities', { entities: [] }, false],
  ])('%s', (_, filter, kept) => {
    expect(pruneFiles(VIEW, [january], filter)).toHaveLength(kept ? 1 : 0)
  })

  test.each([
    undefined,
    '',
    'not JSON',
    '[]',
    'null',
    '{"minValues":7}',
    '{"maxValues":{"airport":5,"event_timestamp":"2001-01-01 00:00:00"}}',
  ])('statistics %j rule nothing out', (stats) => {
    const filter = { eventMicrosMin: start, entities: [['ATL', 1n]] }
    expect(pruneFiles(VIEW, [fileAt('x', stats)], filter)).toHaveLength(1)
  })

  test("another writer's cut maximum rules out nothing that begins like it", () => {
    const file = fileAt('x', '{"maxValues":{"airport":"AAAA"}}')
    expect(pruneFiles(VIEW, [file], { entities: [['AAAAB', 1n]] })).toHaveLength(1)
    expect(pruneFiles(VIEW, [file], { entities: [['AAAB', 1n]] })).toHaveLength(0)
  })

  test('an int64 that JSON rounded rules nothing out, and strings are bound in the order of their bytes', () => {
    const rounded = fileAt('x', '{"minValues":{"carrier":9007199254740993},"maxValues":{"carrier":9007199254740993}}')
    expect(pruneFiles(VIEW, [rounded], { entities: [['A', 9007199254740993n]] })).toHaveLength(1)
    const astral = fileAt('x', '{"maxValues":{"airport":"\u{1F600}"}}')
    expect(pruneFiles(VIEW, [astral], { entities: [['\uFF5E', 1n]] })).toHaveLength(1)
  })
})
