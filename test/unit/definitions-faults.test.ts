import { expect, test } from 'vitest'
import { loadDefinitions } from '../../src/definitions/load/load.ts'
import type { Fault } from '../../src/domain/errors.ts'
import { definitionsFolder } from './definitions-folder.ts'
import { loadInProcess } from './definitions-process.ts'

const BUILDERS = `import {
  bool, bytes, days, double, entity, featureService, featureView, file, float, hours, int32, int64, list, minutes,
  onDemandView, seconds, sql, string, timestamp, vector,
} from 'twinstore'`

/** Each faulty line says what must be reported for it: the path, and a part of the problem. */
const DOZEN = `${BUILDERS}
export const shop = entity('shop', string())
export const customer = entity('customer', int64())
export const wrongKey = entity('wrong_key', double()) // entities.wrong_key | a join key is string() or int64()
export const good = featureView('good', {
  entities: [shop], features: { revenue: double(), visits: int64() },
})
export const badName = featureView('Bad-Name', { entities: [shop], features: { x: double() } }) // views.Bad-Name | "Bad-Name" is not a name
export const underscores = featureView('a__b', { entities: [shop], features: { x: double() } }) // views.a__b | double underscore
export const reserved = featureView('reserved', { entities: [shop], features: { event_date: double() } }) // views.reserved.features.event_date | reserved name
export const empty = featureView('empty', { entities: [shop], features: {} }) // views.empty.features | at least one feature
export const stale = featureView('stale', { entities: [shop], onStale: 'default', features: { x: double() } }) // views.stale.onStale | x has none
export const badDefault = featureView('bad_default', { entities: [shop], features: { n: int32({ default: 1.5 }) } }) // views.bad_default.features.n.default | expected int32
export const blind = featureView('blind', { entities: [shop], ttl: days(3), source: sql\`SELECT 1\`, sync: { every: hours(48) }, features: { x: double() } }) // views.blind.sync.every | 48 h is more than half of the ttl of 72 h: after one failed sync every row would be stale for 24 h
export const noSource = featureView('no_source', { entities: [shop], sync: { every: hours(1) }, features: { x: double() } }) // views.no_source.sync | no source
export const typo = featureView('typo', { entities: [shop], onStele: 'null', features: { x: double() } } as never) // views.typo.onStele | did you mean onStale?
export const good2 = featureView('good', { entities: [shop], features: { x: double() } }) // views.good | another view is called good
export const noEntities = featureView('no_entities', { entities: [], features: { x: double() } }) // views.no_entities.entities | at least one entity
export const badPick = featureService('bad_pick', [good.pick('revenu' as never)]) // services.bad_pick.members.0 | good has no feature "revenu"; did you mean revenue?
export const badMap = featureService('bad_map', [good.as('g', { shp: 'x' } as never)]) // services.bad_map.members.0 | no join key shp (it has shop); did you mean shop?
export const twice = featureService('twice', [good, good]) // services.twice.members.1 | two members are called good
export const clash = onDemandView('clash', { inputs: [good], request: { shop: string() }, features: { y: double() }, compute: () => ({ y: 1 }) }) // onDemandViews.clash.request.shop | good reads a join key
export const nothing = featureService('nothing', []) // services.nothing.members | at least one view
`

function expectedFaults(text: string): { at: string; problem: string }[] {
  return text.split('\n').flatMap((line, index) => {
    const expected = / \/\/ (\S+) \| (.*)$/.exec(line)
    return expected ? [{ at: `${expected[1]} (index.ts:${index + 1})`, problem: expected[2]! }] : []
  })
}

test('a process with seventeen faults does not start, and its one message names all of them with file and line', async () => {
  const { exitCode, stdout, stderr } = await loadInProcess(await definitionsFolder(DOZEN))
  const faults: readonly Fault[] = JSON.parse(stdout)
  const expected = expectedFaults(DOZEN)
  expect(expected).toHaveLength(17)
  const byPlace = (a: Fault, b: Fault) => (a.at < b.at ? -1 : 1)
  expect([...faults].sort(byPlace)).toEqual(
    expected.sort(byPlace).map(({ at, problem }) => ({ at, problem: expect.stringContaining(problem) })),
  )
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(
    new RegExp(`are not valid \\(${expected.length} faults\\):\\n {2}entities.wrong_key \\(index.ts:`),
  )
})

/** The faults of definitions that begin with a shop, a customer and their views. */
async function faultsOf(text: string): Promise<string[]> {
  const folder = await definitionsFolder(`${BUILDERS}
    export const shop = entity('shop', string())
    export const customer = entity('customer', int64())
    export const sales = featureView('sales', { entities: [shop], features: { revenue: double(), visits: int64() } })
    export const orders = featureView('orders', { entities: [customer], features: { count: int64() } })
    ${text}`)
  try {
    await loadDefinitions(folder)
    return []
  } catch (error) {
    return (error as { faults: readonly Fault[] }).faults.map(({ at, problem }) => `${at.split(' ')[0]}: ${problem}`)
  }
}

const view = (options: string) => `export const v = featureView('v', { entities: [shop], ${options} })`
const feature = (type: string) => view(`features: { x: ${type} }`)

test.each([
  [feature('list(string(), { default: [1] })'), /x.default: item 0: expected string, got number 1/],
  [feature('vector(3, { default: [1, 2] })'), /x.default: expected 3 numbers, got 2/],
  [feature('vector(0)'), /a vector's length is a whole number from 1/],
  [feature('list(double({ default: 1 }))'), /options belong to the list/],
  [feature('list(list(double()))'), /the items of a list are of one of bool/],
  [feature('double({ default: NaN })'), /finite number/],
  [feature('double({ default: null })'), /cannot be null/],
  [feature('bool({ default: {} })'), /expected bool/],
  [feature('timestamp({ default: new Date(1500) })'), /expected timestamp \(whole seconds\)/],
  [feature('int64({ default: 2 ** 53 })'), /expected int64/],
  [feature('string({ allowNaN: true })'), /string has no NaN/],
  [feature('int64({ tolerance: 1 })'), /int64 is compared exactly/],
  [feature('double({ tolerance: -1 })'), /a tolerance is a number from 0 on/],
  [feature("'double'"), /expected a type such as double\(\), got "double"/],
  [feature('double'), /expected a type such as double\(\), got a function/],
  [view('features: { shop: double() }'), /shop is a join key of the view/],
  [view('features: double()'), /expected features by name/],
  [view('features: { constructor: double() }'), /constructor is a reserved name/],
  [view('features: { trailing_: double() }'), /ends with an underscore/],
  [view('features: { x: double() }, ttl: 3600'), /v.ttl: expected a duration such as days\(3\)/],
  [view('features: { x: double() }, ttl: days(0)'), /whole number of seconds from 1/],
  [
    view('features: { x: double() }, ttl: hours(1), source: sql`SELECT 1`, sync: { every: hours(2) }'),
    /stale for 1 h before each sync even if all succeed/,
  ],
  [
    view(
      'features: { x: double() }, ttl: hours(4), source: sql`SELECT 1`, sync: { every: hours(1), computeTime: hours(3) }',
    ),
    /every 1 h, with a computation of 3 h each, is more than half of the ttl of 4 h: after one failed sync every row would be stale for 2 h/,
  ],
  [
    view('features: { x: double() }, source: sql`SELECT 1`, sync: { every: hours(1), allowBlindWindow: 1 }'),
    /v.sync.allowBlindWindow: expected true or false, got the number 1/,
  ],
  [view("features: { x: double() }, partitionBy: 'year'"), /expected one of day, month, got "year"/],
  [view('features: { x: double() }, version: 0'), /v.version: a version is a whole number from 1/],
  [view("features: { x: double() }, online: 'no'"), /v.online: expected true or false/],
  [view("features: { x: double() }, source: 'SELECT 1'"), /expected a source written with the template sql/],
  [
    view(`features: { x: double() }, source: sql\`SELECT \${3}\``),
    /only file\(\.\.\.\) and sql`\.\.\.` can be put into SQL, got the number 3/,
  ],
  [view('features: { x: double() }, source: sql`SELECT {{0}}`'), /\{\{0\}\} in SQL stands for a file/],
  [view(`features: { x: double() }, source: sql\`FROM \${file('x.dat')}\``), /cannot tell the format of x.dat/],
  [
    view(`features: { x: double() }, source: sql\`FROM \${file('x.csv', { at: 'npm:x.csv' })}\``),
    /is not npm:<package>\/<path>/,
  ],
  [
    "const hidden = entity('hidden', string())\nexport const v = featureView('v', { entities: [hidden], features: { x: double() } })",
    /v.entities.0: entity hidden is not among the exported definitions/,
  ],
  [
    "export const v = featureView('v', { entities: ['shp'], features: { x: double() } })",
    /unknown entity "shp"; did you mean shop\?/,
  ],
  [
    "export const v = featureView('v', { entities: ['shop'], features: { x: double() } })",
    /give the definition itself, not its name/,
  ],
  [
    "export const again = entity('again', { shop: string() })\nexport const v = featureView('v', { entities: [shop, again], features: { x: double() } })",
    /join key shop comes from two entities/,
  ],
  [
    "const hidden = featureView('hidden', { entities: [shop], features: { x: double() } })\nexport const s = featureService('s', [hidden])",
    /view hidden is not among the exported definitions/,
  ],
  [
    "export const s = featureService('s', [sales.as('one', { shop: 'id' }), orders.as('two', { customer: 'id' })])",
    /reads customer \(int64\) from request column id, which one reads as string/,
  ],
  ["export const s = featureService('s', [sales.as('request')])", /request is a reserved name/],
  [
    "export const s = featureService('s', [sales.as('x', { shop: 'write_position' })])",
    /joinKeyMap.shop: write_position is a reserved name/,
  ],
  ["export const s = featureService('s', [sales.pick('visits', 'visits')])", /feature visits of sales is picked twice/],
  ["export const s = featureService('s', [sales.pick()])", /no feature of sales is picked/],
  [
    "export const o = onDemandView('o', { inputs: [shop], features: { y: double() }, compute: () => ({}) })",
    /o.inputs.0: expected a feature view, got a entity|o.inputs.0: expected a feature view, got an entity/,
  ],
  [
    "export const o = onDemandView('o', { inputs: [sales, sales.pick('visits')], features: { y: double() }, compute: () => ({}) })",
    /two inputs are called sales/,
  ],
  [
    "export const o = onDemandView('o', { inputs: [sales], features: { y: double({ default: 1 }) }, compute: () => ({}) })",
    /a computed feature has no default/,
  ],
  [
    "export const o = onDemandView('o', { inputs: [sales], features: { y: double() } })",
    /o.compute: expected a function/,
  ],
  [
    "export const sales2 = onDemandView('sales', { inputs: [], features: { y: double() }, compute: () => ({}) })",
    /another view is called sales/,
  ],
  [
    "export const o = onDemandView('o', { inputs: [sales], request: { customer: double() }, features: { y: double() }, compute: () => ({}) })\nexport const s = featureService('s', [orders, o])",
    /services.s.o.customer: customer is the request column from which orders reads a join key/,
  ],
  [
    "const o = (name, type) => onDemandView(name, { inputs: [], request: { hour: type }, features: { y: double() }, compute: () => ({}) })\nexport const a = o('a', int64()), b = o('b', string())\nexport const s = featureService('s', [a, b])",
    /takes request feature hour as string, which a takes as int64/,
  ],
  [
    "export const labels = featureView('labels', { entities: [shop], features: { x: double() }, online: false })\nexport const s = featureService('s', [sales, labels])",
    /services.s.members: labels is not online \(online: false\), so that the service cannot be served; .*\{ online: false \}/,
  ],
  [
    "export const labels = featureView('labels', { entities: [shop], features: { x: double() }, online: false })\nexport const o = onDemandView('o', { inputs: [labels], features: { y: double() }, compute: () => ({}) })\nexport const s = featureService('s', [o])",
    /services.s.members: labels \(an input of o\) is not online/,
  ],
  ["export const s = featureService('s', [sales], { online: 'no' })", /s.online: expected true or false, got "no"/],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: double() }, keepOnline: { topBy: 'y', limit: 5 } })",
    /v.keepOnline.topBy: expected a feature of the view \(it has x\), got "y"/,
  ],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: string() }, keepOnline: { topBy: 'x', limit: 5 } })",
    /v.keepOnline.topBy: x is string; entities are ranked by one of int32/,
  ],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: double() }, keepOnline: { topBy: 'x', limit: 0 } })",
    /v.keepOnline.limit: expected a whole number from 1 to 100000000, got the number 0/,
  ],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: double() }, onMiss: 'offline' })",
    /v.onMiss: expected 'default' or \{ offlineLookup: \{ budget: 50 \} \}, got "offline"/,
  ],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: double() }, onMiss: { offlineLookup: { budget: 0.5 } } })",
    /v.onMiss.offlineLookup.budget: expected a whole number from 1 to 10000, got the number 0.5/,
  ],
  [
    "export const v = featureView('v', { entities: [shop], features: { x: double() }, online: false, onMiss: { offlineLookup: { budget: 5 } } })",
    /v.onMiss: the view is not online/,
  ],
])('%s', async (text, problem) => {
  const faults = await faultsOf(text)
  expect(faults).toEqual([expect.stringMatching(problem)])
})

test('good definitions of every kind have no faults', async () => {
  const faults = await faultsOf(`
    export const pair = entity('pair', { shop: string(), customer: int64() }, { description: 'who buys where' })
    export const all = featureView('all', {
      version: 3, entities: [pair], ttl: days(2), onStale: 'default', partitionBy: 'month', online: false,
      source: sql\`SELECT * FROM \${sql\`read_csv(\${file('data.csv.gz')})\`} WHERE x = '\\d'\`, sync: { every: days(1) },
      features: {
        a: bool({ default: false }), b: int32({ default: 1 }), c: int64({ default: 2n ** 62n }), d: float({ default: 0.5 }),
        e: double({ default: 1, allowNaN: true }), f: string({ default: '' }), g: bytes({ default: new Uint8Array([1]) }),
        h: timestamp({ default: new Date(0) }), i: list(int64(), { default: [1] }), j: vector(2, { default: [1, 2] }),
      },
    })
    export const o = onDemandView('o', { inputs: [all.pick('a'), sales.as('s')], features: { y: double() }, compute: () => ({ y: 1 }) })
    export const top = featureView('top', {
      entities: [shop], features: { revenue: double(), seen: timestamp() }, keepOnline: { topBy: 'seen', limit: 10 },
      onMiss: { offlineLookup: { budget: 50, timeoutMs: 100 } },
    })
    export const pushed = featureView('pushed', {
      entities: [shop], features: { x: double() }, ttl: hours(2), source: sql\`SELECT 1\`,
      sync: { every: hours(6), computeTime: hours(4), allowBlindWindow: true },
    })
    export const plain = featureView('plain', { entities: [shop], features: { x: double() }, onMiss: 'default' })
    export const served = featureService('served', [sales, top], { online: true })
    export const everything = featureService('everything', [all, sales, o.pick('y')], { description: 'all', online: false })`)
  expect(faults).toEqual([])
})

test('nothing exported, or no view, is a fault', async () => {
  const folder = await definitionsFolder('export const x = 1')
  await expect(loadDefinitions(folder)).rejects.toThrow(/no module exports a definition/)
})
