/**
 * Two servers on one Redis and one history, and a view that is synced every second: one of them runs the schedule. It is killed
 * with SIGKILL in the middle of a sync; the other takes the schedule over, and no row of the source is lost or doubled, also when
 * both are told to sync at the same time.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type TwinstoreClient, type ViewSyncStatus } from '../../src/client/index.ts'
import { readExportRows } from '../support/export-rows.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const DEFINITIONS = new URL('../fixtures/stock-feed', import.meta.url).pathname
const SKUS = 40
const WAIT = { timeout: 60_000, interval: 20 }

let dir: string
let redis: RedisProcess
const servers: ServerProcess[] = []
const clients: TwinstoreClient[] = []
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-schedule-'))
  redis = await startRedis()
})
afterAll(async () => {
  for (const client of clients) client.close()
  for (const server of servers) await server.kill()
  await redis?.dispose()
  rmSync(dir, { recursive: true, force: true })
})

async function serve(name: string) {
  const flags = [
    ...[
      '--online',
      `redis://127.0.0.1:${redis.port}`,
      '--offline',
      `file:${join(dir, 'offline')}`,
      '--source-dir',
      dir,
    ],
    ...[
      '--sync-on-start',
      'never',
      '--archive-lease',
      '1s',
      '--schedule-look-interval',
      '100ms',
      '--log-level',
      'fatal',
    ],
  ]
  const server = await startServerProcess({ dataDir: join(dir, name), definitions: DEFINITIONS, flags })
  servers.push(server)
  const client = connect(server.address, { attemptsMax: 1, deadlineMs: 30_000 })
  clients.push(client)
  const stock = async (): Promise<ViewSyncStatus> => (await client.status()).syncs[0]!
  return { server, client, stock }
}

/** What the source holds from now on: every SKU at one more hour, with a level that says which hour it is. */
let hour = 0
const fed: string[] = []
function feed(): void {
  hour++
  const rows = Array.from({ length: SKUS }, (_, index) => ({ sku: `s${index}`, level: hour * 1000 + index }))
  const time = new Date(Date.UTC(2026, 0, 1, hour)).toISOString()
  fed.push(...rows.map(({ sku, level }) => `${sku},${level},${time}`))
  writeFileSync(join(dir, 'stock.csv'), ['sku,on_hand,event_timestamp', ...fed].join('\n'))
}

const historyOf = async (client: TwinstoreClient) =>
  (await readExportRows(client, { view: 'stock' })).map((row) => `${row['sku']} ${row['on_hand']}`).sort()
const fedRows = () => fed.map((line) => line.split(',').slice(0, 2).join(' ')).sort()

test('a killed instance is in the middle of a sync; the other takes the schedule over, and nothing is doubled', {
  timeout: 180_000,
}, async () => {
  feed()
  const one = await serve('one')
  const two = await serve('two')
  const runs = async () =>
    (await Promise.all([one, two].map(({ stock }) => stock()))).map((state) => state.scheduledHere)
  await expect.poll(async () => (await runs()).filter(Boolean).length, WAIT).toBe(1)
  await expect.poll(() => historyOf(two.client), WAIT).toEqual(fedRows())
  // Both know how the last sync went, whichever ran it.
  for (const { stock } of [one, two]) {
    const state = await stock()
    expect(state).toMatchObject({ view: 'stock', everySeconds: 1, newestEvent: new Date(Date.UTC(2026, 0, 1, hour)) })
    expect(state.lastSuccess).toBeInstanceOf(Date)
    expect(state.lastError).toBeUndefined()
  }

  const [runner, other] = (await one.stock()).scheduledHere ? [one, two] : [two, one]
  feed()
  await expect.poll(async () => (await runner.stock()).running, WAIT).toBe(true)
  await runner.server.kill()
  await expect.poll(async () => (await other.stock()).scheduledHere, WAIT).toBe(true)
  await expect.poll(() => historyOf(other.client), WAIT).toEqual(fedRows())

  const entities = Array.from({ length: SKUS }, (_, index) => ({ sku: `s${index}` }))
  const levels = async () =>
    (await other.client.getFeatures({ service: 'levels', entities, consistency: 'FRESH' })).rows.map(({ values }) =>
      Number(values['stock__on_hand']),
    )
  await expect.poll(levels, WAIT).toEqual(entities.map((_, index) => hour * 1000 + index))
})

test('syncs by hand of two instances at once, beside the schedule: refused or done, never doubled', {
  timeout: 180_000,
}, async () => {
  const [running] = await Promise.all([serve('three'), serve('four')])
  const { client } = running
  for (let round = 0; round < 2; round++) {
    feed()
    const ends = await Promise.allSettled(clients.slice(-2).map((each) => each.sync({ views: ['stock'] })))
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'ABORTED' })
    await expect.poll(() => historyOf(client), WAIT).toEqual(fedRows())
  }
})
