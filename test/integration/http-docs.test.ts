/** docs/http.md and docs/openapi.yaml against a real server: every command of the page is run, every route is described. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { httpRoutes, type RouteParts } from '../../src/api/http/routes.ts'
import { connect } from '../../src/client/index.ts'
import { ERROR_CODES } from '../../src/domain/errors.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { registry, scripted } from './grpc-fixture.ts'
import { post, request } from './http-fixture.ts'

const FLIGHTS = new URL('../../examples/flights', import.meta.url).pathname
const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

let dir: string
let server: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-http-docs-'))
  const flags = ['--http', '127.0.0.1:0', '--sync-on-start', 'never', '--sync-schedule', 'off', '--log-level', 'warn']
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: FLIGHTS, flags })
  await writeWhatASyncBrings()
})
afterAll(async () => {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** The rows that the page's answers are made of, as they are in the flights. */
async function writeWhatASyncBrings(): Promise<void> {
  const client = connect(server.address)
  const daily = { flights: 4n, mean_delay: 13.5, p90_delay: 28.200000000000003, late_share: 0.5, mean_distance: 386.5 }
  const ord = {
    flights: 900n,
    mean_delay: 13.03111111111111,
    p90_delay: 58.30000000000007,
    late_share: 0.2788888888888889,
    mean_distance: 779.6166666666667,
  }
  await client.writeFeatures('airport_daily', [
    { airport: 'ATL', ...daily, event_timestamp: new Date('2001-07-02') },
    { airport: 'ORD', ...ord, event_timestamp: new Date('2001-07-01') },
  ])
  await client.writeFeatures('route_daily', [
    {
      origin: 'ATL',
      destination: 'ORD',
      flights: 21n,
      mean_delay: 15.761904761904763,
      max_delay: 127n,
      late_share: 0.2857142857142857,
      event_timestamp: new Date('2001-07-01'),
    },
  ])
  client.close()
}

/** What is not the same at two times or on two machines. */
function lasting(text: string): string {
  return text
    .trimEnd()
    .replaceAll(/[0-9a-f]{32}/g, 'FINGERPRINT')
    .replaceAll(/20[2-9]\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/"position":\d{16}/g, '"position":POSITION')
}

test('every command of the page prints what the page says', async () => {
  const blocks = [...read('http.md').matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  const commands = blocks.flatMap((block) => block.split(/^\$ /m).slice(1)).map((text) => text.split(/\n([\s\S]*)/))
  expect(commands.length).toBeGreaterThan(10)
  for (const [command, output] of commands) {
    const here = command!.replaceAll('127.0.0.1:6566', server.httpAddress!)
    const { stdout } = await promisify(execFile)('bash', ['-c', here], { cwd: dir })
    expect(lasting(stdout), command).toBe(lasting(output ?? ''))
  }
})

/** Paths and methods of the routes; HEAD beside GET, except where answering it would make a data set. */
function methodsByPath(): Map<string, string[]> {
  const routes = httpRoutes(
    scripted<RouteParts>({
      definitions: { current: { registry, computes: new Map() } },
      selections: { bytesMax: 1, featuresMax: 1 },
      serving: scripted({}),
      writes: scripted({}),
      offline: scripted({}),
      admin: scripted({}),
      answerBytesMax: 1,
    }),
  )
  const methods = new Map<string, string[]>()
  for (const { path, method, kind } of routes) {
    const own = method === 'GET' && kind !== 'download' ? ['get', 'head'] : [method.toLowerCase()]
    methods.set(path, [...(methods.get(path) ?? []), ...own])
  }
  return methods
}

test('the OpenAPI description has every route, no other, and the codes and members that there are', async () => {
  const api = parse(read('openapi.yaml'), { merge: true })
  const described = Object.entries(api.paths as Record<string, object>).map(
    ([path, methods]) => [path, Object.keys(methods).sort()] as const,
  )
  expect(new Map(described)).toEqual(new Map([...methodsByPath()].map(([path, methods]) => [path, methods.sort()])))
  const { schemas } = api.components
  expect(schemas.Error.properties.error.properties.code.enum).toEqual([...ERROR_CODES])
  for (const [path, schema] of [
    ['/v1/get-features', 'GetFeatures'],
    ['/v1/write-features', 'WriteFeatures'],
    ['/v1/export-features', 'ExportFeatures'],
  ] as const) {
    const { body } = await post(server.httpAddress!, path, { nothing_like_it_at_all: 1 })
    const known = /; known are (.*)$/.exec(body.error.message)![1]!.split(', ')
    expect(Object.keys(schemas[schema].properties).sort(), path).toEqual(known.sort())
  }
})

test('every reference of the description is there, and answers have the members it says', async () => {
  const text = read('openapi.yaml')
  const api = parse(text, { merge: true })
  for (const [, reference] of text.matchAll(/\$ref: '#\/([^']+)'/g)) {
    const found = reference!.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], api)
    expect(found, reference).toBeDefined()
  }
  const address = server.httpAddress!
  const { body } = await post(address, '/v1/get-features', {
    features: ['airport_daily:*'],
    entities: [{ airport: 'ATL' }],
  })
  const { required } = api.components.schemas.Features.properties.rows.items
  expect([Object.keys(body), Object.keys(body.rows[0])]).toEqual([api.components.schemas.Features.required, required])
  const health = api.components.schemas.Health.properties.status.enum
  for (const path of ['/healthz', '/readyz', '/livez'])
    expect(health).toContain((await request(address, path)).body.status)
})
