import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolveSource } from '../../src/definitions/resolve-source.ts'
import type { SourceFile } from '../../src/domain/registry.ts'
import { definitionsFolder } from './definitions-folder.ts'

function file(name: string, location = name): SourceFile {
  return { name, location, format: 'parquet' }
}

test('every placeholder becomes a quoted local path', async () => {
  const dir = await definitionsFolder({ 'a.parquet': 'x', "data/it's $&.parquet": 'x' })
  const files = [file('a.parquet'), file('b', "data/it's $&.parquet"), file('c', join(dir, 'a.parquet'))]
  expect(await resolveSource({ sql: 'FROM {{0}} JOIN {{1}} JOIN {{0}} JOIN {{2}}', files }, dir)).toBe(
    `FROM '${dir}/a.parquet' JOIN '${dir}/data/it''s $&.parquet' JOIN '${dir}/a.parquet' JOIN '${dir}/a.parquet'`,
  )
})

test('a file of a package is looked for upwards from the definitions, the nearest first', async () => {
  const dir = await definitionsFolder({
    'node_modules/@shop/data/sales.parquet': 'outer',
    'models/node_modules/@shop/data/sales.parquet': 'inner',
    'models/deep/index.ts': '',
  })
  const source = { sql: '{{0}}', files: [file('sales', 'npm:@shop/data/sales.parquet')] }
  expect(await resolveSource(source, join(dir, 'models/deep'))).toBe(
    `'${dir}/models/node_modules/@shop/data/sales.parquet'`,
  )
  expect(await resolveSource(source, dir)).toBe(`'${dir}/node_modules/@shop/data/sales.parquet'`)
})

test("this program's own packages serve definitions that have none", async () => {
  const dir = await definitionsFolder({ 'index.ts': '' })
  const source = { sql: '{{0}}', files: [file('flights.parquet', 'npm:vega-datasets/data/flights-3m.parquet')] }
  expect(await resolveSource(source, dir)).toMatch(/node_modules\/vega-datasets\/data\/flights-3m\.parquet'$/)
})

test('a missing file is named, with where it was looked for and what to do', async () => {
  const dir = await definitionsFolder({ 'folder.parquet/x': '' })
  const resolving = resolveSource({ sql: '{{0}}', files: [file('folder.parquet')] }, dir)
  await expect(resolving).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/^source file folder\.parquet .* is not there; put it there, or say where/),
  })
  await expect(resolving).rejects.toThrow(`  ${dir}/folder.parquet`)
  const missing = resolveSource({ sql: '{{0}}', files: [file('x', 'npm:@no/such/x.csv')] }, dir)
  await expect(missing).rejects.toThrow(/npm install @no\/such/)
  await expect(missing).rejects.toThrow(`  ${dir}/node_modules/@no/such/x.csv`)
})
