import { expect, test } from 'vitest'
import type { Feature } from '../../src/domain/registry.ts'
import type { Spine } from '../../src/offline/duckdb/spine-table.ts'
import { planTrainingSet } from '../../src/offline/duckdb/training-set-plan.ts'
import { rowGroupRows } from '../../src/offline/duckdb/training-set-query.ts'
import { testService, testView } from '../integration/training-set-fixture.ts'

const spine = { columns: [{}, {}] } as unknown as Spine

function rowsFor(features: readonly Feature[]): number {
  const view = testView('v', { id: 'int64' }, features)
  const service = testService({ kind: 'view', use: { view: 'v', as: 'v', joinKeyMap: {} } })
  return rowGroupRows(planTrainingSet({ service, tables: { v: { view, files: [] } }, onDemandViews: {} }), spine)
}

test('row groups are smaller only where rows are declared wide, and whole vectors of DuckDB', () => {
  const numbers = (count: number) =>
    Array.from({ length: count }, (_, index): Feature => ({ name: `f${index}`, type: { kind: 'double' } }))
  expect(rowsFor(numbers(20))).toBe(122_880)
  expect(rowsFor(numbers(128))).toBe(122_880)
  expect(rowsFor(numbers(300))).toBe(25 * 2048)
  expect(rowsFor([{ name: 'embedding', type: { kind: 'vector', length: 768 } }])).toBe(20 * 2048)
  expect(rowsFor([{ name: 'huge', type: { kind: 'vector', length: 100_000 } }])).toBe(2048)
})
