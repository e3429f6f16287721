/** The latest rows in key order, part by part, against a naive model; over composite keys of awkward strings. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeEntityKey, type KeyValue, type RowKey, splitRowKey } from '../../src/domain/entity-key.ts'
import { compareUtf8 } from '../../src/lib/utf8-order.ts'
import { dataFiles, rowOf, runAppend, sharedBench, spooledRows, viewOf } from './offline-store-fixtures.ts'

const bench = sharedBench()

const view = viewOf(
  { n: 'int64' },
  {
    joinKeys: [
      { name: 'a', type: 'string' },
      { name: 'b', type: 'int64' },
    ],
  },
)
const STRINGS = ['', ' ', "it's", 'Zebra', 'a', 'a\0b', 'ab', 'zürich', '日本', '\u{1f600}', '\uffff']
const NUMBERS = [-9223372036854775808n, -1n, 0n, 7n, 9223372036854775807n]

function compareKeys([a1, b1]: readonly KeyValue[], [a2, b2]: readonly KeyValue[]): number {
  return compareUtf8(a1 as string, a2 as string) || (b1! < b2! ? -1 : b1! > b2! ? 1 : 0)
}

test('parts follow each other in key order and together are the latest row of every entity', async () => {
  const keys = STRINGS.flatMap((a) => NUMBERS.map((b): KeyValue[] => [a, b]))
  const specs = keys.flatMap((key, index) =>
    [3, 1, 2].map((event) => ({
      key,
      event: event * 1_000_000,
      position: event * 100 + index,
      values: [BigInt(event)],
    })),
  )
  const rows = specs.map((spec) => rowOf(view, spec))
  const files = await runAppend(bench, view, rows)
  const table = { view, files: dataFiles(files) }
  const expected = [...keys]
    .sort(compareKeys)
    .map((key) => rowOf(view, specs.find((spec) => spec.key === key && spec.event === 3_000_000)!))
    .map(({ key, row }) => ({ key: key as string, row }))

  for (const limit of [1, 7, keys.length, 1000]) {
    const found: { key: string; row: Buffer }[] = []
    let after: string[] | undefined
    for (;;) {
      const outputFile = join(bench.newDir(), 'part')
      const asked = { table, outputFile, limit, ...(after === undefined ? {} : { after }) }
      const output = await bench.engine.run('latest', asked)
      const part = await spooledRows(outputFile)
      expect(output.entities).toBe(keys.length - found.length)
      expect(part).toHaveLength(Math.min(limit, output.entities))
      expect(output.rows).toBe(part.length)
      found.push(...part)
      if (output.entities === output.rows) break
      const types = view.joinKeys.map(({ type }) => type)
      after = decodeEntityKey(types, splitRowKey(found.at(-1)!.key as RowKey).entityKey).map(String)
      if (limit === 1 && found.length === 20) break
    }
    expect(found).toEqual(expected.slice(0, found.length))
  }
})

test('a table without files has no entities', async () => {
  const outputFile = join(bench.newDir(), 'part')
  const output = await bench.engine.run('latest', {
    table: { view, files: [] },
    outputFile,
    limit: 5,
    after: ['a', '1'],
  })
  expect(output).toEqual({ rows: 0, bytes: 0, entities: 0 })
})
