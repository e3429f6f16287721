/** What a server says of itself over HTTP, and that docs/metrics.md says the same of it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { startMetricsEndpoint } from '../../src/observe/metrics-endpoint.ts'
import { until } from '../support/redis/until.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const FLIGHTS = new URL('../../examples/flights', import.meta.url).pathname
const PAGE = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')

let dir: string
let server: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-metrics-'))
  const flags = ['--metrics', '127.0.0.1:0', '--sync-on-start', 'never', '--sync-schedule', 'off']
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: FLIGHTS, flags })
})
afterAll(async () => {
  await server.stop()
  rmSync(dir, { recursive: true })
})

async function scrape(path = '/metrics', init: RequestInit = {}) {
  const response = await fetch(`http://${server.metricsAddress}${path}`, init)
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') }
}

/** `name{labels}` to value. */
function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

test('what clients do is counted', async () => {
  const client = connect(server.address)
  await client.writeFeatures('airport_status', [{ airport: 'ATL', closed: true, expected_delay_minutes: 5 }])
  const request = { service: 'predict_delay', entities: [{ origin: 'ATL', destination: 'ORD' }] }
  for (let count = 0; count < 3; count++) await client.getFeatures(request)
  await expect(client.getFeatures({ ...request, service: 'nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  client.close()
  const { status, text, type } = await scrape()
  expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  const samples = samplesOf(text)
  expect(samples.get('twinstore_grpc_calls_total{method="Serving/WriteFeatures",code="OK"}')).toBe(1)
  expect(samples.get('twinstore_grpc_calls_total{method="Serving/GetFeatures",code="OK"}')).toBe(3)
  expect(samples.get('twinstore_grpc_calls_total{method="Serving/GetFeatures",code="NOT_FOUND"}')).toBe(1)
  expect(samples.get('twinstore_grpc_call_duration_seconds_count{method="Serving/GetFeatures"}')).toBe(4)
  // Four rows a request: two airports, the route, the status.
  expect(samples.get('twinstore_cache_misses_total')).toBe(4)
  expect(samples.get('twinstore_cache_hits_total')).toBe(8)
  expect(samples.get('twinstore_outbox_rows_max')).toBe(1_000_000)
  expect(samples.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0)
})

test('pauses are counted by what made them, and kept from scrape to scrape', async () => {
  const look = 'twinstore_event_loop_delay_seconds_bucket{le="+Inf"}'
  const before = samplesOf((await scrape()).text).get(look)!
  // Scrapes make the garbage that is to be collected.
  const samples = await until('ten more looks and a collection', 30_000, async () => {
    const found = samplesOf((await scrape()).text)
    return found.get(look)! >= before + 10 && found.has('nodejs_gc_duration_seconds_count{kind="minor"}') && found
  })
  expect(samples.has('nodejs_gc_duration_seconds_bucket{le="0.0025",kind="minor"}')).toBe(true)
  expect(samples.get('twinstore_event_loop_busy_seconds_total')).toBeGreaterThan(0)
  expect(samples.get('nodejs_array_buffers_bytes')).toBeGreaterThan(0)
})

test('syncs are counted, and how a view stands is told', async () => {
  const client = connect(server.address)
  await client.sync({ views: ['airport_daily'] })
  await client.sync({ views: ['airport_daily'] })
  const [status] = (await client.status()).syncs
  client.close()
  const samples = samplesOf((await scrape()).text)
  const of = (name: string, labels = '') => samples.get(`twinstore_${name}{view="airport_daily"${labels}}`)
  expect(of('sync_runs_total', ',outcome="done"')).toBe(2)
  expect(of('sync_runs_total', ',outcome="failed"')).toBe(0)
  expect(['read', 'added', 'online'].map((step) => of('sync_rows_total', `,step="${step}"`))).toEqual([
    79_904, 39_952, 229,
  ])
  expect(of('sync_seconds_total')).toBeGreaterThan(0)
  expect(of('sync_last_success_timestamp_seconds')).toBeCloseTo(status!.lastSuccess!.getTime() / 1000, 0)
  expect(of('sync_next_due_timestamp_seconds')! - of('sync_last_success_timestamp_seconds')!).toBeCloseTo(86_400, 3)
  expect(of('feature_freshness_seconds')).toBeGreaterThan(0)
  expect([of('table_version'), of('table_rows')]).toEqual([1, 39_952])
  expect(of('table_bytes')! / of('table_files')!).toBeGreaterThan(1000)
  expect(status).toMatchObject({
    view: 'airport_daily',
    everySeconds: 86_400,
    scheduledHere: false,
    running: false,
    newestEvent: new Date('2001-07-02T00:00:00Z'),
    lastError: undefined,
  })
})

test('every metric of Twinstore is on the page with its type and labels, and nothing else is', async () => {
  const { text } = await scrape()
  const types = [...text.matchAll(/^# TYPE (twinstore_\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`)
  const rows = [...PAGE.matchAll(/^\| `(twinstore_\w+)` \| (\w+) \| ([^|]*?) ?\|/gm)]
  expect(rows.map(([, name, type]) => `${name} ${type}`).sort()).toEqual(types.sort())
  const labelsOf = new Map(
    rows.map(([, name, , labels]) => [name, [...labels!.matchAll(/`(\w+)`/g)].map((l) => l[1]!)]),
  )
  for (const sample of samplesOf(text).keys()) {
    const [, name, labels = ''] = /^(twinstore_\w+)(?:\{(.*)\})?$/.exec(sample) ?? []
    if (name === undefined) continue
    const known = labelsOf.get(name) ?? labelsOf.get(name.replace(/_(bucket|sum|count)$/, ''))
    const names = [...labels.matchAll(/(?:^|,)(\w+)="/g)].map((label) => label[1]!).filter((label) => label !== 'le')
    expect(names, sample).toEqual(known)
  }
})

test('only GET of the two paths is answered', async () => {
  expect(await scrape('/health')).toMatchObject({ status: 200, text: 'healthy\n' })
  expect(await scrape('/metrics?x=1')).toMatchObject({ status: 200 })
  expect(await scrape('/')).toMatchObject({ status: 404 })
  expect(await scrape('/metrics/')).toMatchObject({ status: 404 })
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) {
    expect((await scrape('/metrics', { method })).status, method).toBe(405)
  }
})

/** What comes back for raw bytes until the other side closes. */
function exchange(address: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = address.lastIndexOf(':')
    const socket = connectSocket(Number(address.slice(at + 1)), address.slice(0, at))
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
    })
    socket.on('close', () => resolve(answer)).on('error', reject)
    socket.write(bytes)
  })
}

test('garbage and a head that is too large end the connection with a status', async () => {
  const address = server.metricsAddress!
  expect(await exchange(address, 'no such protocol\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  // Read in one go: of what a server has not read when it closes, the kernel makes a reset, which overtakes the status.
  const head = `GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(9 * 1024)}\r\n\r\n`
  expect(await exchange(address, head)).toMatch(/^HTTP\/1\.1 431 /)
  expect((await scrape()).status).toBe(200)
})

test('what hangs is given up', async () => {
  const endpoint = await startMetricsEndpoint({
    address: '127.0.0.1:0',
    text: () => new Promise(() => {}),
    health: () => Promise.reject(new TwinstoreError('UNAVAILABLE', 'the online store is down')),
    timeoutMs: 100,
    clock: systemClock,
  })
  try {
    const metrics = await fetch(`http://${endpoint.address}/metrics`)
    expect([metrics.status, await metrics.text()]).toEqual([
      503,
      'the metrics were not gathered within 100 ms (option metrics-timeout)\n',
    ])
    const health = await fetch(`http://${endpoint.address}/health`)
    expect([health.status, await health.text()]).toEqual([503, 'the online store is down\n'])
  } finally {
    await endpoint.close()
  }
})

test('an address in use is a clear refusal', async () => {
  const address = server.metricsAddress!
  const failing = startMetricsEndpoint({
    address,
    text: async () => '',
    health: async () => undefined,
    timeoutMs: 100,
    clock: systemClock,
  })
  await expect(failing).rejects.toThrow(TwinstoreError)
  await expect(failing).rejects.toThrow(`cannot listen on the metrics address ${address} (option metrics)`)
})
