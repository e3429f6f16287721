import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entityKey, rowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import {
  encodeRow,
  MISSING_VALUE,
  NULL_VALUE,
  rowEventMicros,
  rowFault,
  rowSchemaId,
  rowValues,
} from '../../src/domain/row-codec.ts'
import { canonicalValue, encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { SCALAR_TYPES, type ScalarType, type ValueType } from '../../src/domain/value-type.ts'
import { EVENT_MICROS_MAX, EVENT_MICROS_MIN, NO_POSITION } from '../../src/domain/version.ts'
import { lengthField, varint64Bytes, varintField } from '../../src/lib/wire.ts'
import { isCanonical } from '../../src/writing/canonical-bytes.ts'
import { encodeRows } from '../../src/writing/feature-write-service.ts'
import { contentHash, readWriteRequest } from '../../src/writing/write-request.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { airport, limits, NOW_MICROS, turn } from './writing-fixture.ts'

const key = { airport: 'ATL', terminal: 3n }

/** A request from raw parts, so that tests can send what no typed client would. */
function rawRequest(columns: readonly string[], rows: readonly (readonly Buffer[])[], eventMicros?: bigint): Buffer {
  return Buffer.concat([
    lengthField(1, Buffer.from('airport')),
    ...columns.map((column) => lengthField(2, Buffer.from(column))),
    ...rows.map((values) =>
      lengthField(
        3,
        Buffer.concat([
          ...values.map((value) => lengthField(1, value)),
          ...(eventMicros === undefined ? [] : [Buffer.from([0x10]), varint64Bytes(eventMicros)]),
        ]),
      ),
    ),
  ])
}

function valueBytes(type: ValueType, value: FeatureValue): Buffer {
  const bytes = encodeValue(type, value)
  if (typeof bytes === 'string') throw new Error(bytes)
  return bytes
}

const ATL = valueBytes({ kind: 'string' }, 'ATL')
const THREE = valueBytes({ kind: 'int64' }, 3n)
const DOUBLE_TYPE: ValueType = { kind: 'double' }
const INT64_TYPE: ValueType = { kind: 'int64' }
const TAGS_TYPE: ValueType = { kind: 'list', of: 'string' }
const DOUBLE = valueBytes({ kind: 'double' }, 1.5)

function gapOr(value: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc.oneof({ weight: 4, arbitrary: value }, fc.constantFrom(MISSING_VALUE, NULL_VALUE))
}

/** A `Value` of a row, its length written with so many bytes more than it needs. */
function paddedField(value: Buffer, padding: number): Buffer {
  const plain = lengthField(1, value)
  if (padding === 0) return plain
  const headEnd = plain.length - value.length
  const head = Buffer.from(plain.subarray(0, headEnd))
  head[headEnd - 1]! |= 0x80
  const zeros = Buffer.from([...new Array(padding - 1).fill(0x80), 0])
  return Buffer.concat([head, zeros, value])
}

function encode(bytes: Buffer) {
  return encodeRows(airport, readWriteRequest(bytes, limits.rowsMax), NOW_MICROS, limits, turn)
}

async function faultsOf(bytes: Buffer): Promise<readonly string[]> {
  try {
    await encode(bytes)
  } catch (error) {
    if (!(error instanceof TwinstoreError)) throw error
    expect(error.code).toBe('INVALID_ARGUMENT')
    return error.faults.map((fault) => `${fault.at}: ${fault.problem}`)
  }
  throw new Error('the request was accepted')
}

describe('a valid request', () => {
  test('becomes rows with every value in its ordinal place, absent ones missing', async () => {
    const bytes = encodeWriteRequest(airport, [
      { values: { flights: 7n, ...key, mean_delay: -2.25, label: null }, eventMicros: 1_000_000 },
      { values: { ...key, airport: 'Zürich', terminal: -1n } },
    ])
    const rows = await encode(bytes)
    expect(rows.map((row) => row.key)).toEqual([
      rowKey('airport', entityKey(['string', 'int64'], ['ATL', 3n])),
      rowKey('airport', entityKey(['string', 'int64'], ['Zürich', -1n])),
    ])
    expect(rows.map(({ row }) => rowFault(row))).toEqual([undefined, undefined])
    expect(rows.map(({ row }) => rowEventMicros(row))).toEqual([1_000_000, NOW_MICROS])
    expect(rows.map(({ row }) => rowSchemaId(row))).toEqual([1, 1])
    const [first, second] = rows.map(({ row }) => rowValues(row))
    expect(first).toEqual([
      valueBytes({ kind: 'double' }, -2.25),
      valueBytes({ kind: 'int64' }, 7n),
      MISSING_VALUE,
      NULL_VALUE,
      MISSING_VALUE,
      MISSING_VALUE,
      MISSING_VALUE,
    ])
    expect(second).toEqual(new Array(7).fill(MISSING_VALUE))
  })

  test('may have its fields in any order', async () => {
    const view = lengthField(1, Buffer.from('airport'))
    const columns = ['airport', 'terminal'].map((name) => lengthField(2, Buffer.from(name)))
    const row = lengthField(3, Buffer.concat([ATL, THREE].map((value) => lengthField(1, value))))
    expect(await encode(Buffer.concat([row, ...columns, view]))).toEqual(
      await encode(Buffer.concat([view, ...columns, row])),
    )
  })

  test('has the same hash when only the acknowledgement differs, another when a value or the order does', async () => {
    const rows = [{ values: { ...key, flights: 1n } }, { values: { ...key, flights: 2n } }]
    const hash = (bytes: Buffer) => contentHash(readWriteRequest(bytes, 100), turn)
    const plain = await hash(encodeWriteRequest(airport, rows))
    expect(await hash(encodeWriteRequest(airport, rows, { ack: 'BOTH', writeId: 'w' }))).toBe(plain)
    expect(await hash(encodeWriteRequest(airport, [...rows].reverse()))).not.toBe(plain)
    expect(await hash(encodeWriteRequest(airport, rows.slice(1)))).not.toBe(plain)
  })

  test('makes the same row in whatever order and frames its values come', async () => {
    const values: Record<string, fc.Arbitrary<Buffer>> = {
      mean_delay: gapOr(fc.double({ noNaN: true, noDefaultInfinity: true }).map((of) => valueBytes(DOUBLE_TYPE, of))),
      flights: gapOr(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((of) => valueBytes(INT64_TYPE, of))),
      closed: gapOr(fc.boolean().map((of) => valueBytes({ kind: 'bool' }, of))),
      label: gapOr(fc.string({ maxLength: 150 }).map((of) => valueBytes({ kind: 'string' }, of.slice(0, 50)))),
      odds: gapOr(fc.float().map((of) => valueBytes({ kind: 'float' }, of))),
      tags: gapOr(fc.array(fc.string({ maxLength: 9 }), { maxLength: 5 }).map((of) => valueBytes(TAGS_TYPE, of))),
    }
    const columns = fc.shuffledSubarray(['airport', 'terminal', ...Object.keys(values)], { minLength: 2 })
    const frames = fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 8, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.record(values), columns, frames, async (row, some, padding) => {
        const names = [...new Set([...some, 'airport', 'terminal'])]
        const given = names.map((name) => (name === 'airport' ? ATL : name === 'terminal' ? THREE : row[name]!))
        const fields = given.map((value, index) => paddedField(value, padding[index]!))
        const request = Buffer.concat([
          lengthField(1, Buffer.from('airport')),
          ...names.map((name) => lengthField(2, Buffer.from(name))),
          lengthField(3, Buffer.concat(fields)),
        ])
        const expected = encodeRow({
          schemaId: airport.schemaId,
          eventMicros: NOW_MICROS,
          createdMicros: NOW_MICROS,
          position: NO_POSITION,
          values: airport.features.map(({ name }) => (names.includes(name) ? row[name]! : MISSING_VALUE)),
        })
        const [encoded] = await encode(request)
        expect(encoded!.row.equals(expected)).toBe(true)
      }),
    )
  })

  test('may carry NaN in a feature that allows it', async () => {
    const odds = valueBytes({ kind: 'float' }, Number.NaN)
    const [row] = await encode(rawRequest(['airport', 'terminal', 'odds'], [[ATL, THREE, odds]]))
    expect(rowValues(row!.row)[4]).toEqual(odds)
  })
})

describe('every fault is named with its row and field', () => {
  test('several faults of several rows at once', async () => {
    const bytes = rawRequest(
      ['airport', 'terminal', 'mean_delay', 'embedding'],
      [
        [ATL, THREE, valueBytes({ kind: 'double' }, Number.NaN), valueBytes({ kind: 'vector', length: 2 }, [1, 2])],
        [ATL, THREE, valueBytes({ kind: 'string' }, 'late'), MISSING_VALUE],
        [NULL_VALUE, MISSING_VALUE, DOUBLE, NULL_VALUE],
        [ATL, THREE, DOUBLE],
      ],
    )
    expect(await faultsOf(bytes)).toEqual([
      expect.stringMatching(/^rows\[0\]\.mean_delay: NaN and infinity are not allowed/),
      'rows[0].embedding: expected 3 numbers, got 2',
      expect.stringMatching(/^rows\[1\]\.mean_delay: expected double/),
      expect.stringMatching(/^rows\[2\]\.airport: a join key \(string\) must have a value, got null/),
      expect.stringMatching(/^rows\[2\]\.terminal: a join key \(int64\) must have a value, got an unset value/),
      'rows[3]: 3 values for 4 columns',
    ])
  })

  test('unknown, duplicate and missing columns', async () => {
    const bytes = rawRequest(['airport', 'mean_dely', 'closed', 'closed'], [[ATL, DOUBLE, MISSING_VALUE, THREE]])
    expect(await faultsOf(bytes)).toEqual([
      expect.stringContaining('did you mean mean_delay?'),
      'columns[3]: closed is given twice',
      expect.stringContaining('the join key terminal (int64) of view airport is not among them'),
    ])
  })

  test('invalid UTF-8 in a key and in a value', async () => {
    const bad = lengthField(2, Buffer.from([0xff, 0xfe]))
    expect(await faultsOf(rawRequest(['airport', 'terminal', 'label'], [[bad, THREE, bad]]))).toEqual([
      'rows[0].airport: expected string: string is not UTF-8',
      'rows[0].label: expected string: string is not UTF-8',
    ])
  })

  test('sizes, each naming its option', async () => {
    const text = (length: number) => valueBytes({ kind: 'string' }, 'x'.repeat(length))
    const long = rawRequest(['airport', 'terminal', 'label'], [[text(100), THREE, text(300)]])
    expect(await faultsOf(long)).toEqual([expect.stringContaining('more than 200 (option value-bytes-max)')])
    expect(await faultsOf(rawRequest(['airport', 'terminal'], [[text(100), THREE]]))).toEqual([
      expect.stringContaining('more than 64 (option entity-key-bytes-max)'),
    ])
    const tags = valueBytes({ kind: 'list', of: 'string' }, ['x'.repeat(190)])
    const wide = [[ATL, THREE, text(190), tags, valueBytes({ kind: 'double' }, 1)]]
    const columns = ['airport', 'terminal', 'label', 'tags', 'mean_delay']
    expect(await encode(rawRequest(columns, wide))).toHaveLength(1)
    const narrow = { ...limits, rowBytesMax: 400 }
    const request = readWriteRequest(rawRequest(columns, wide), 100)
    await expect(encodeRows(airport, request, NOW_MICROS, narrow, turn)).rejects.toThrow(
      /more than 400 \(option row-bytes-max\)/,
    )
  })

  test('too many rows, before any of them is looked at', async () => {
    const rows = new Array(limits.rowsMax + 5).fill([NULL_VALUE])
    expect(await faultsOf(rawRequest(['airport'], rows))).toEqual([expect.stringContaining('option write-rows-max')])
  })

  test('no rows, and a write id that is too long', async () => {
    const bytes = encodeWriteRequest(airport, [], { writeId: 'w'.repeat(129) })
    expect(await faultsOf(bytes)).toEqual([
      expect.stringMatching(/^rows: there are none/),
      'write_id: 129 characters, more than 128',
      expect.stringContaining('join key airport'),
      expect.stringContaining('join key terminal'),
    ])
  })

  test('timestamps outside the range or too far ahead; the bounds themselves are let in', async () => {
    const at = (micros: bigint) => rawRequest(['airport', 'terminal'], [[ATL, THREE]], micros)
    const ahead = BigInt(NOW_MICROS + limits.eventAheadMsMax * 1000)
    expect(await faultsOf(at(ahead + 1n))).toEqual([expect.stringContaining('option event-time-ahead-max')])
    expect(rowEventMicros((await encode(at(ahead)))[0]!.row)).toBe(Number(ahead))
    expect(rowEventMicros((await encode(at(BigInt(EVENT_MICROS_MIN))))[0]!.row)).toBe(EVENT_MICROS_MIN)
    for (const micros of [BigInt(EVENT_MICROS_MIN) - 1n, BigInt(EVENT_MICROS_MAX) + 1n, 2n ** 62n, -(2n ** 63n)]) {
      expect(await faultsOf(at(micros))).toEqual([
        expect.stringContaining('not a time between the years 1700 and 2250'),
      ])
    }
  })

  test('a flood of faults is cut off, and says so', async () => {
    const columns = ['airport', 'terminal', ...new Array(2000).fill('nonsense')]
    const faults = await faultsOf(rawRequest(columns, [[]]))
    expect(faults).toHaveLength(1001)
    expect(faults.at(-1)).toBe('request: the check stopped after 1000 faults')
  })

  test('bytes that are no request at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        try {
          await encode(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(TwinstoreError)
          expect((error as TwinstoreError).code).toBe('INVALID_ARGUMENT')
          return
        }
        throw new Error('accepted')
      }),
    )
  })

  test('a damaged request is either refused with its faults or read as what it says', async () => {
    const sound = encodeWriteRequest(airport, [
      {
        values: {
          ...key,
          mean_delay: 1,
          flights: 2n,
          closed: true,
          label: 'x',
          odds: 0.5,
          embedding: [1, 2, 3],
          tags: ['a'],
        },
      },
    ])
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(sound)
        damaged[at] = damaged[at]! ^ flip
        try {
          for (const { row } of await encode(damaged)) expect(rowFault(row)).toBeUndefined()
        } catch (error) {
          expect(error).toBeInstanceOf(TwinstoreError)
        }
      }),
    )
  })
})

describe('canonical bytes', () => {
  const types: ValueType[] = [
    ...SCALAR_TYPES.map((kind) => ({ kind })),
    { kind: 'vector', length: 2 },
    { kind: 'list', of: 'double' },
  ]
  const anyType = fc.constantFrom(...types)

  const finite: Record<ScalarType, fc.Arbitrary<FeatureValue>> = {
    bool: fc.boolean(),
    int32: fc.integer({ min: 0, max: 2 ** 28 - 1 }),
    int64: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    float: fc.float({ noNaN: true, noDefaultInfinity: true }),
    double: fc.double({ noNaN: true, noDefaultInfinity: true }),
    string: fc.string({ unit: 'grapheme', maxLength: 300 }),
    bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    timestamp: fc.integer({ min: 0, max: 2 ** 33 - 1 }),
  }

  test('what the encoder makes of ordinary values takes the fast way', () => {
    for (const kind of SCALAR_TYPES) {
      fc.assert(
        fc.property(finite[kind], fc.nat(3), (value, offset) => {
          const bytes = Buffer.concat([Buffer.alloc(offset, 0xff), valueBytes({ kind }, value), Buffer.alloc(2, 0xff)])
          expect(isCanonical({ kind }, bytes, offset, bytes.length - 2)).toBe(true)
        }),
      )
    }
    const vector: ValueType = { kind: 'vector', length: 2 }
    const bytes = valueBytes(vector, [0.5, -1])
    expect(isCanonical(vector, bytes, 0, bytes.length)).toBe(true)
  })

  /** A valid value with one byte changed or its end cut off: the usual way a value is almost canonical. */
  const nearlyCanonical = fc.constantFrom(...SCALAR_TYPES).chain((kind) =>
    fc.tuple(finite[kind], fc.nat(20), fc.nat(255), fc.nat(2)).map(([value, at, byte, cut]) => {
      const bytes = valueBytes({ kind }, value)
      bytes[at % bytes.length] = byte
      return bytes.subarray(0, Math.max(0, bytes.length - cut))
    }),
  )

  test('whatever takes the fast way would have come out of the slow one unchanged', () => {
    fc.assert(
      fc.property(
        anyType,
        fc.oneof(nearlyCanonical, fc.uint8Array({ maxLength: 16 }).map(Buffer.from)),
        (type, bytes) => {
          if (isCanonical(type, bytes, 0, bytes.length)) expect(canonicalValue(type, bytes, false)).toEqual(bytes)
        },
      ),
      { numRuns: 5000 },
    )
  })

  test('needless varint bytes and unknown NaN patterns are not canonical', () => {
    expect(isCanonical({ kind: 'int64' }, Buffer.from([0x20, 0x81, 0x00]), 0, 3)).toBe(false)
    expect(isCanonical({ kind: 'string' }, Buffer.from([0x12, 0x81, 0x00, 0x61]), 0, 4)).toBe(false)
    const nan = Buffer.from([0x29, 1, 2, 3, 4, 5, 6, 0xf8, 0xff])
    expect(isCanonical({ kind: 'double' }, nan, 0, 9)).toBe(false)
    expect(varintField(4, 1).equals(Buffer.from([0x20, 1]))).toBe(true)
  })
})
