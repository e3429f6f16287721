import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applyDefinitions } from '../../src/definitions/apply.ts'
import { loadCurrent, loadSnapshot } from '../../src/definitions/stored/snapshots.ts'
import type { Fault } from '../../src/domain/errors.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { definitionsFolder, tempFolder } from './definitions-folder.ts'

const NOW = Date.UTC(2026, 10, 1) * 1000

const HEAD = `
import { days, double, entity, featureService, featureView, int64, onDemandView, string } from 'twinstore'
export const shop = entity('shop', string())
`
/** A view of the given options, on top of `HEAD`. */
function sales(features: string, options = ''): string {
  return `${HEAD} export const sales = featureView('sales', { entities: [shop], ${options} features: { ${features} } })`
}
const PLAIN = sales('revenue: double(), visits: int64()')
const OTHER = `export const other = featureView('other', { entities: [shop], features: { x: double() } })`
function withScore(compute: string): string {
  return `${PLAIN}
    export const score = onDemandView('score', {
      inputs: [sales], features: { score: double() }, compute: (row) => (${compute}),
    })`
}

function newStore(): Promise<ObjectStore> {
  return tempFolder().then((folder) => openFolderObjects(folder))
}

async function apply(objects: ObjectStore, text: string, project?: string) {
  const path = await definitionsFolder(text)
  return applyDefinitions({ path, objects, nowMicros: NOW, ...(project === undefined ? {} : { project }) })
}

async function storedPaths(objects: ObjectStore): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of objects.list('registry/')) paths.push(path)
  return paths
}

async function problems(applying: Promise<unknown>): Promise<string[]> {
  const error = await applying.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: 'FAILED_PRECONDITION' })
  return (error as { faults: readonly Fault[] }).faults.map(({ at, problem }) => `${at}: ${problem}`)
}

test('the first apply stores a snapshot and a log entry; the second writes nothing', async () => {
  const objects = await newStore()
  const first = await apply(objects, PLAIN)
  expect(first.changes).toEqual(['added entity shop', 'added view sales'])
  const paths = await storedPaths(objects)
  expect(paths).toEqual(['registry/log/00000000000000000001.json', `registry/snapshots/${first.fingerprint}.json`])
  const second = await apply(objects, PLAIN)
  expect(second).toMatchObject({ changes: [], fingerprint: first.fingerprint })
  expect(await storedPaths(objects)).toEqual(paths)
  expect(second.definitions.registry).toEqual(first.definitions.registry)
})

test('what is loaded is what was applied, to the order of its maps', async () => {
  const objects = await newStore()
  expect(await loadCurrent(objects)).toBeUndefined()
  const applied = await apply(objects, `${withScore('{ score: 1 }')}\n${OTHER}`)
  const loaded = await loadCurrent(objects)
  expect(loaded!.definitions.registry).toEqual(applied.definitions.registry)
  expect([...loaded!.definitions.registry.views.keys()]).toEqual([...applied.definitions.registry.views.keys()])
  expect(loaded!.appliedMicros).toBe(NOW)
  expect(loaded!.bundleFile).toBe(applied.bundleFile)
  expect(loaded!.definitions.computes.get('score')!({ sales: {}, request: {} })).toEqual({ score: 1 })
})

test('an old snapshot loads after others were applied and its folder is gone', async () => {
  const objects = await newStore()
  const path = await definitionsFolder(withScore('{ score: 1 }'))
  const old = await applyDefinitions({ path, objects, nowMicros: NOW })
  await rm(path, { recursive: true })
  await apply(objects, withScore('{ score: 2 }'))
  const loaded = await loadSnapshot(objects, old.fingerprint)
  expect(loaded.definitions.registry).toEqual(old.definitions.registry)
  expect(loaded.definitions.computes.get('score')!({ sales: {}, request: {} })).toEqual({ score: 1 })
})

test('definitions that were never applied are NOT_FOUND', async () => {
  await expect(loadSnapshot(await newStore(), 'f'.repeat(32))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('without on-demand views only what is defined makes the fingerprint', async () => {
  const objects = await newStore()
  const { fingerprint } = await apply(objects, PLAIN)
  expect((await apply(objects, `// A comment.\n${PLAIN}\nexport const unrelated = 1 + 1`)).fingerprint).toBe(
    fingerprint,
  )
  expect((await apply(objects, sales('visits: int64(), revenue: double()'))).fingerprint).toBe(fingerprint)
  expect((await apply(objects, sales('revenue: double(), visits: int64()', 'ttl: days(1),'))).fingerprint).not.toBe(
    fingerprint,
  )
})

test('with on-demand views a change of code makes another fingerprint, a comment does not', async () => {
  const objects = await newStore()
  const { fingerprint } = await apply(objects, withScore('{ score: 1 }'))
  expect((await apply(objects, withScore('{ /* one */ score: 1 }'))).fingerprint).toBe(fingerprint)
  const changed = await apply(objects, withScore('{ score: 2 }'))
  expect(changed.fingerprint).not.toBe(fingerprint)
  expect(changed.changes).toEqual(['changed the code of on-demand views'])
})

test('an added feature comes last in ordinal order and starts a schema', async () => {
  const objects = await newStore()
  await apply(objects, PLAIN)
  const { definitions, changes } = await apply(objects, sales('added: double(), revenue: double(), visits: int64()'))
  const view = definitions.registry.views.get('sales')!
  expect(view.features.map((feature) => feature.name)).toEqual(['revenue', 'visits', 'added'])
  expect(view).toMatchObject({ schemaId: 2, schemaFeatureCounts: [2, 3] })
  expect(changes).toEqual(['changed view sales: feature added added'])
})

test('every breaking change is refused at once, with what to do, and nothing is stored', async () => {
  const objects = await newStore()
  await apply(objects, `${PLAIN}\n${OTHER}`)
  const before = await storedPaths(objects)
  const broken = `
    import { double, entity, featureView, int32, int64, string } from 'twinstore'
    export const shop = entity('shop', int64())
    export const sales = featureView('sales', { entities: [shop], partitionBy: 'month', features: { visits: int32() } })
    export const other = featureView('other', { entities: [shop], version: 2, features: { y: double() } })`
  const advice = 'undo this, or set version: 2 (an empty table and new online keys, filled by sync or writes)'
  expect(await problems(apply(objects, broken))).toEqual([
    `views.sales: feature revenue was removed; ${advice}`,
    `views.sales: feature visits was int64 and is now int32; ${advice}`,
    `views.sales: the join keys were shop string and are now shop int64; ${advice}`,
    `views.sales: partitionBy was day and is now month; ${advice}`,
  ])
  expect(await storedPaths(objects)).toEqual(before)
})

test('a raised version starts over; a lowered one is refused', async () => {
  const objects = await newStore()
  await apply(objects, PLAIN)
  await apply(objects, sales('revenue: double(), visits: int64(), more: double()'))
  const { definitions } = await apply(objects, sales('visits: double()', 'version: 2,'))
  expect(definitions.registry.views.get('sales')).toMatchObject({ version: 2, schemaId: 1, schemaFeatureCounts: [1] })
  expect(await problems(apply(objects, PLAIN))).toEqual([
    'views.sales: version 1 is lower than 2, which was applied before; versions only rise',
  ])
})

test('a removed view is remembered: under the same version it must fit the rows that are still there', async () => {
  const objects = await newStore()
  const grown = sales('revenue: double(), visits: int64(), more: double()')
  await apply(objects, `${PLAIN}\n${OTHER}`)
  await apply(objects, `${grown}\n${OTHER}`)
  expect((await apply(objects, `${HEAD}\n${OTHER}`)).changes).toEqual(['removed view sales'])
  expect(await problems(apply(objects, PLAIN))).toEqual([expect.stringContaining('feature more was removed')])
  const { definitions } = await apply(objects, grown)
  expect(definitions.registry.views.get('sales')).toMatchObject({ schemaFeatureCounts: [2, 3] })
})

test('going back to former definitions makes them current again', async () => {
  const objects = await newStore()
  const { fingerprint } = await apply(objects, PLAIN)
  await apply(objects, sales('revenue: double(), visits: int64()', 'ttl: days(1),'))
  expect((await apply(objects, PLAIN)).changes).toEqual(['changed view sales: ttlMicros'])
  expect((await loadCurrent(objects))!.definitions.registry.fingerprint).toBe(fingerprint)
})

test('of several that apply at once each keeps the ordinals of those before it', async () => {
  const objects = await newStore()
  await apply(objects, PLAIN)
  const texts = ['a', 'b', 'c', 'd'].map((name) => sales(`${name}: double(), revenue: double(), visits: int64()`))
  const results = await Promise.allSettled(texts.map((text) => apply(objects, text)))
  // The first adds its feature; for the others that feature then counts as removed.
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  const all = sales('d: double(), c: double(), b: double(), a: double(), revenue: double(), visits: int64()')
  const racing = await Promise.all([apply(objects, all), apply(objects, all), apply(objects, all)])
  const current = (await loadCurrent(objects))!.definitions.registry
  for (const { definitions } of racing) expect(definitions.registry).toEqual(current)
  expect(
    current.views
      .get('sales')!
      .features.slice(0, 2)
      .map((feature) => feature.name),
  ).toEqual(['revenue', 'visits'])
  expect((await storedPaths(objects)).filter((path) => path.startsWith('registry/log/'))).toHaveLength(3)
})

test('who loses the race for a log entry compares again with what the winner applied', async () => {
  const objects = await newStore()
  await apply(objects, PLAIN)
  const winner = sales('revenue: double(), visits: int64(), a: double()')
  const racing = beforeLogEntry(objects, () => apply(objects, winner))
  const { definitions } = await apply(racing, sales('b: double(), a: double(), revenue: double(), visits: int64()'))
  const { features, schemaFeatureCounts } = definitions.registry.views.get('sales')!
  expect(features.map((feature) => feature.name)).toEqual(['revenue', 'visits', 'a', 'b'])
  expect(schemaFeatureCounts).toEqual([2, 3, 4])
  expect((await loadCurrent(objects))!.definitions.registry).toEqual(definitions.registry)
})

/** The store, but for one thing: before its first log entry is put, another process does something. */
function beforeLogEntry(objects: ObjectStore, other: () => Promise<unknown>): ObjectStore {
  let isFirst = true
  return new Proxy(objects, {
    get: (target, name: keyof ObjectStore) => {
      if (name !== 'putIfAbsent') return typeof target[name] === 'function' ? target[name].bind(target) : target[name]
      return async (path: string, bytes: Uint8Array) => {
        if (isFirst && path.startsWith('registry/log/')) {
          isFirst = false
          await other()
        }
        return target.putIfAbsent(path, bytes)
      }
    },
  })
}

test('a store keeps the project it was made for', async () => {
  const objects = await newStore()
  expect((await apply(objects, PLAIN, 'flights')).definitions.registry.project).toBe('flights')
  await expect(apply(objects, PLAIN)).rejects.toThrow(/belongs to project flights, not default/)
  await expect(apply(await newStore(), PLAIN, 'Not A Name')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test.each([
  ['json', (text: string) => text.replace('revenue', 'revenge')],
  ['mjs', (text: string) => text.replace('score:1', 'score:9')],
] as const)('a damaged .%s is DATA_LOSS, never taken for what was applied', async (kind, damage) => {
  const objects = await newStore()
  const { fingerprint } = await apply(objects, withScore('{ score: 1 }'))
  const path = `registry/snapshots/${fingerprint}.${kind}`
  const text = (await objects.read(path))!.toString('utf8')
  expect(damage(text)).not.toBe(text)
  await objects.put(path, Buffer.from(damage(text)))
  await expect(loadSnapshot(objects, fingerprint)).rejects.toMatchObject({ code: 'DATA_LOSS' })
  await objects.delete(path)
  await expect(loadSnapshot(objects, fingerprint)).rejects.toMatchObject({ code: 'DATA_LOSS' })
})

test('a damaged log entry is named', async () => {
  const objects = await newStore()
  await apply(objects, PLAIN)
  await objects.put('registry/log/00000000000000000002.json', Buffer.from('{"logFormat":'))
  await expect(loadCurrent(objects)).rejects.toThrow(/registry\/log\/00000000000000000002\.json/)
})

test('relative source files start from the definitions folder', async () => {
  const objects = await newStore()
  const path = await definitionsFolder(PLAIN)
  expect((await applyDefinitions({ path: join(path, 'index.ts'), objects, nowMicros: NOW })).definitionsDir).toBe(path)
})
