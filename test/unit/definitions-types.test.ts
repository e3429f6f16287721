/** What the type checker makes of definitions: every line marked `wrong` must fail to compile, and no other. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { definitionsFolder } from './definitions-folder.ts'

const REPOSITORY = new URL('../../', import.meta.url).pathname

const DEFINITIONS = `
import { bytes, double, entity, featureService, featureView, float, hours, int64, list, onDemandView, sql, string, timestamp, vector } from 'twinstore'

const airport = entity('airport', string())
const route = entity('route', { origin: string(), destination: int64() })
const badKey = entity('bad', double()) // wrong
const daily = featureView('daily', { entities: [airport], features: { mean: double(), count: int64() } })
const routes = featureView('routes', { entities: [route], features: { seen: timestamp(), tags: list(string()), embedding: vector(8), blob: bytes() } })
const badOption = featureView('v', { entities: [airport], features: {}, onStele: 'null' }) // wrong
const badStale = featureView('v', { entities: [airport], features: {}, onStale: 'nulls' }) // wrong
const badTtl = featureView('v', { entities: [airport], features: {}, ttl: 3 }) // wrong
const badEntities = featureView('v', { entities: [daily], features: {} }) // wrong
const kept = featureView('k', { entities: [airport], features: { mean: double(), code: string() }, keepOnline: { topBy: 'mean', limit: 5 }, onMiss: { offlineLookup: { budget: 5 } } })
const badRank = featureView('k', { entities: [airport], features: { mean: double(), code: string() }, keepOnline: { topBy: 'code', limit: 5 } }) // wrong
const badMiss = featureView('k', { entities: [airport], features: {}, onMiss: 'offline' }) // wrong
const badDefault = double({ default: 'x' }) // wrong
const badItem = list(list(double())) // wrong
const badSql = sql\`SELECT \${3}\` // wrong

daily.pick('mean', 'count')
daily.as('origin', { airport: 'origin' }).pick('mean')
routes.as('r', { origin: 'a', destination: 'b' })
daily.pick('maen') // wrong
daily.as('origin', { airprt: 'origin' }) // wrong
routes.as('r', { airport: 'x' }) // wrong
daily.pick('mean').as('m').pick('count') // wrong

const score = onDemandView('score', {
  inputs: [daily.as('origin', { airport: 'origin' }), daily.pick('mean'), routes],
  request: { hour: int64({ default: 12 }), weight: float(), label: string({ description: 'no default' }) },
  features: { risk: double(), id: int64(), when: timestamp() },
  compute: (row) => {
    const count: number | null = row.origin.count
    const mean: number | null = row.daily.mean
    const seen: Date | null = row.routes.seen
    const tags: readonly string[] | null = row.routes.tags
    const embedding: readonly number[] | null = row.routes.embedding
    const hour: number = row.request.hour
    const sure: number = row.origin.count // wrong
    const unpicked = row.daily.count // wrong
    const misspelt = row.origin.maen // wrong
    const unknown = row.destination // wrong
    const weight: number = row.request.weight // wrong
    const label: string = row.request.label // wrong
    const missing = row.request.minute // wrong
    return { risk: hour, id: 1n, when: seen }
  },
})
score.pick('risk')
score.pick('rsik') // wrong
onDemandView('o', { inputs: [daily], features: { risk: double() }, compute: () => ({}) }) // wrong
onDemandView('o', { inputs: [daily], features: { risk: double() }, compute: () => ({ risk: 'high' }) }) // wrong
onDemandView('o', { inputs: [daily], features: { risk: double() }, compute: (row) => ({ risk: row.request.hour }) }) // wrong
onDemandView('o', { inputs: [score], features: { risk: double() }, compute: () => ({ risk: 1 }) }) // wrong
featureService('s', [daily, daily.as('other'), routes.pick('tags'), score, score.pick('risk')])
featureService('s', [airport]) // wrong
hours('3') // wrong
`

test('mistakes in definitions are compile errors, on their lines and nowhere else', async () => {
  const folder = await definitionsFolder({
    'index.ts': DEFINITIONS,
    'package.json': '{"type":"module"}',
    'tsconfig.json': JSON.stringify({
      extends: join(REPOSITORY, 'tsconfig.json'),
      compilerOptions: {
        typeRoots: [join(REPOSITORY, 'node_modules/@types')],
        paths: { twinstore: [join(REPOSITORY, 'src/definitions/index.ts')] },
        noUnusedLocals: false,
      },
      include: ['index.ts'],
    }),
  })
  const output = await new Promise<string>((resolve) => {
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc')
    execFile(tsc, ['--project', folder, '--pretty', 'false'], { cwd: folder }, (_, stdout) => resolve(stdout))
  })
  const failing = [...output.matchAll(/^index\.ts\((\d+),/gm)].map((match) => Number(match[1]))
  const wrong = DEFINITIONS.split('\n').flatMap((line, index) => (line.endsWith('// wrong') ? [index + 1] : []))
  expect([...new Set(failing)], output).toEqual(wrong)
  expect(output.match(/^\S+\.ts\(/gm)).toEqual(failing.map(() => 'index.ts('))
})
