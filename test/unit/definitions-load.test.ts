import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleDefinitions } from '../../src/definitions/load/bundle.ts'
import { loadComputes } from '../../src/definitions/load/evaluate.ts'
import { loadDefinitions } from '../../src/definitions/load/load.ts'
import { definitionsFolder, tempFolder, writeFiles } from './definitions-folder.ts'
import { loadInProcess, runScript } from './definitions-process.ts'

const SHOP = `
import { double, entity, featureView, onDemandView, string } from 'twinstore'
export const shop = entity('shop', string())
export const sales = featureView('sales', { entities: [shop], features: { revenue: double() } })
`
const CLAMPED = `
import { onDemandView, double } from 'twinstore'
import { clamp } from 'clamping'
import { triple } from 'tripling'
import { sales } from './index.ts'
export const score = onDemandView('score', {
  inputs: [sales],
  features: { score: double() },
  compute: (row) => ({ score: clamp(triple(row.sales.revenue ?? 0)) }),
})
`
/** A CommonJS package that requires a module of Node, and an ES module. */
const PACKAGES = {
  'node_modules/clamping/package.json': '{"name":"clamping","main":"lib/clamp.js"}',
  'node_modules/clamping/lib/clamp.js':
    "const assert = require('node:assert'); exports.clamp = (x) => { assert(x >= 0); return Math.min(1, x) }",
  'node_modules/tripling/package.json': '{"name":"tripling","type":"module","exports":"./triple.js"}',
  'node_modules/tripling/triple.js': 'export const triple = (x) => 3 * x',
}

test('a folder outside the repository loads, with the npm packages it imports', async () => {
  const folder = await definitionsFolder({ 'index.ts': SHOP, 'score.ts': CLAMPED, ...PACKAGES })
  const { draft, computes, definitionsDir } = await loadDefinitions(folder)
  expect(draft.views.map((view) => view.name)).toEqual(['sales'])
  expect(draft.onDemandViews.map((view) => view.name)).toEqual(['score'])
  expect(computes.get('score')!({ sales: { revenue: 0.25 }, request: {} })).toEqual({ score: 0.75 })
  expect(definitionsDir).toBe(folder)
})

test('the bundle stands alone: it evaluates after the folder and its packages are gone', async () => {
  const folder = await definitionsFolder({ 'index.ts': SHOP, 'score.ts': CLAMPED, ...PACKAGES })
  const { code } = await loadDefinitions(folder)
  const elsewhere = await tempFolder()
  await writeFiles(elsewhere, { 'stored.mjs': code! })
  expect(code).not.toContain("from'twinstore'")
  const computes = await loadComputes(join(elsewhere, 'stored.mjs'))
  expect(computes.get('score')!({ sales: { revenue: 5 }, request: {} })).toEqual({ score: 1 })
})

test('a process without a bundler loads the functions of a stored bundle', async () => {
  const folder = await definitionsFolder({ 'index.ts': SHOP, 'score.ts': CLAMPED, ...PACKAGES })
  const { code } = await loadDefinitions(folder)
  const elsewhere = await tempFolder()
  await writeFiles(elsewhere, { 'stored.mjs': code! })
  const script = `
    import { loadComputes } from '../../src/definitions/load/evaluate.ts'
    const computes = await loadComputes(process.argv[2]!)
    process.stdout.write(JSON.stringify(computes.get('score')!({ sales: { revenue: 0.25 }, request: {} })))`
  const ended = await runScript(script, [join(elsewhere, 'stored.mjs')], [])
  expect(ended).toEqual({ exitCode: 0, stderr: '', stdout: '{"score":0.75}' })
})

test('the bundle has the same bytes wherever the folder and its packages are', async () => {
  const folder = await definitionsFolder({ 'index.ts': SHOP, 'score.ts': CLAMPED, ...PACKAGES })
  const other = await tempFolder()
  await writeFiles(other, { 'tsconfig.json': '{"compilerOptions":{"target":"es5"}}', ...PACKAGES })
  const copy = join(other, 'deep', 'down', 'definitions')
  await cp(folder, copy, { recursive: true, filter: (path) => !path.includes('node_modules') })
  const original = (await bundleDefinitions(folder)).code
  expect((await bundleDefinitions(copy)).code).toBe(original)
  expect(original).not.toContain('definitions-test-')
  expect(original).not.toContain('node_modules')
})

test('comments and layout leave the bundle as it is; code does not', async () => {
  const bundleOf = async (text: string) => (await bundleDefinitions(await definitionsFolder(text))).code
  const original = await bundleOf(`export const add = (a: number) => a + 1`)
  expect(await bundleOf(`// Adds.\nexport const add = (\n  a: number,\n) => /* one */ a + 1\n`)).toBe(original)
  expect(await bundleOf(`export const add = (a: number) => a + 2`)).not.toBe(original)
})

test('builders that are not used are not in the bundle', async () => {
  const { code } = await bundleDefinitions(await definitionsFolder(SHOP))
  expect(code).toContain('"featureView"')
  expect(code).not.toContain('"featureService"')
})

test('a single file loads, and relative paths start from its folder', async () => {
  const folder = await definitionsFolder({ 'shop.ts': SHOP, 'broken.ts': 'export const x = (' })
  const { draft, definitionsDir } = await loadDefinitions(join(folder, 'shop.ts'))
  expect(draft.views).toHaveLength(1)
  expect(definitionsDir).toBe(folder)
})

test('a definition that several modules export counts once; tests and declarations are left alone', async () => {
  const folder = await definitionsFolder({
    'shop.js': SHOP,
    'index.ts': `export * from './shop.js'`,
    'shop.test.ts': `throw new Error('a test was run')`,
    'shop.d.ts': `export declare const shop: unknown`,
  })
  expect((await loadDefinitions(folder)).draft.views).toHaveLength(1)
})

test('code that does not compile is reported with file, line and column, all at once', async () => {
  const folder = await definitionsFolder({
    'index.ts': `export * from './sales.ts'\nimport './missing.ts'\n`,
    'sales.ts': `\n\nconst sales = = 1\n`,
  })
  await expect(loadDefinitions(folder)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    faults: expect.arrayContaining([
      { at: 'sales.ts:3:15', problem: expect.stringContaining('Unexpected "="') },
      { at: 'index.ts:2:8', problem: expect.stringContaining('./missing.ts') },
    ]),
  })
})

test('an import of another part of twinstore is refused with what is allowed', async () => {
  const folder = await definitionsFolder(`import { connect } from 'twinstore/client'\nexport const c = connect`)
  await expect(loadDefinitions(folder)).rejects.toThrow(/index.ts:1:25: .*from 'twinstore' only/)
})

test('an error that definitions throw is reported with their file and line', async () => {
  const folder = await definitionsFolder({
    'index.ts': `import { rate } from './rates.ts'\n\nexport const x = rate('EUR')\n`,
    'rates.ts': `import { get } from 'getting'\n\nexport function rate(name: string): number {\n  return get({}, name).rate\n}\n`,
    'node_modules/getting/index.js': `exports.get = (of, name) => of[name].rate`,
  })
  const { exitCode, stderr } = await loadInProcess(folder)
  expect(exitCode).toBe(1)
  expect(stderr).toContain("rates.ts:4: threw TypeError: Cannot read properties of undefined (reading 'rate')")
})

test('a path with nothing there, or a folder without modules, is named', async () => {
  const folder = await definitionsFolder({ 'README.md': 'nothing' })
  await expect(loadDefinitions(join(folder, 'none'))).rejects.toThrow(/no definitions at .*none/)
  await expect(loadDefinitions(folder)).rejects.toThrow(/no \.ts or \.js file/)
})
