/** Views of which not everything is online, through a real server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { runCommand } from '../support/cli-process.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const dir = mkdtempSync(join(tmpdir(), 'twinstore-part-online-'))
const definitions = new URL('../fixtures/part-online', import.meta.url).pathname

let server: ServerProcess
let client: TwinstoreClient

beforeAll(async () => {
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions })
  client = connect(server.address)
})

afterAll(async () => {
  client?.close()
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

test('a view that is not online takes writes, which are in the history exactly once and in training sets', async () => {
  await client.writeFeatures('profile', [{ customer: 'ann', visits: 3n }])
  const rows = [{ customer: 'ann', bought: 1n }]
  const options = { ack: 'BOTH', writeId: 'outcome-1' } as const
  const written = await client.writeFeatures('outcomes', rows, options)
  expect(written.map(({ status }) => status)).toEqual(['HISTORY_ONLY'])
  expect(await client.writeFeatures('outcomes', rows, options)).toEqual(written)

  const { rows: history } = await client.history('outcomes', { customer: 'ann' })
  expect(history.map(({ values }) => values)).toEqual([{ bought: 1n }])
  const spine = `customer,at\nann,${new Date(Date.now() + 1000).toISOString()}\n`
  const dataset = await client.trainingSet({
    service: 'propensity_training',
    spine: Readable.from([Buffer.from(spine)]),
    spineFormat: 'csv',
    timestampColumn: 'at',
    format: 'csv',
  })
  const text = (await Readable.from(dataset).toArray()).join('')
  expect(text.trim().split('\n')[1]?.split(',').slice(2)).toEqual(['3', '0.0', '1'])
})

test('the command line says what became of such a row', async () => {
  const words = ['write', 'outcomes', 'customer=bob', 'bought=0', '--address', server.address]
  const { stdout } = await runCommand(words, dir)
  expect(stdout).toMatch(/^HISTORY_ONLY: the row is kept in the history; the online store does not keep it/)
})

async function points(customers: readonly string[], consistency: 'CACHED' | 'FRESH' = 'CACHED') {
  const entities = customers.map((customer) => ({ customer }))
  const { rows } = await client.getFeatures({ features: ['loyalty:*'], entities, consistency })
  return rows.map(({ values, statuses, historyViews }) => ({
    points: values['loyalty__points'],
    status: statuses['loyalty__points'],
    from: historyViews[0] ?? 'online',
  }))
}
const present = (value: bigint, from: string) => ({ points: value, status: 'PRESENT', from })

test('a view that keeps the greatest only has these online; the others are looked up, flagged, and so are misses', async () => {
  expect(server.stderr()).toMatch(/^synced loyalty: 200 rows, 10 online/m)
  const missing = { points: null, status: 'NOT_FOUND', from: 'online' }
  for (const consistency of ['CACHED', 'CACHED', 'FRESH'] as const) {
    expect(await points(['c199', 'c190', 'c189', 'c000', 'nobody'], consistency)).toEqual([
      present(199n, 'online'),
      present(190n, 'online'),
      present(189n, 'loyalty'),
      present(0n, 'loyalty'),
      missing,
    ])
  }
})

test('the command line says which rows come from the history', async () => {
  const words = ['get', 'loyal', 'customer=c007', 'customer=c195', '--address', server.address]
  expect((await runCommand(words, dir)).stdout).toMatch(
    /^loyalty\s+2026-01-01 00:00:00Z \(from the history\)\s+2026-01-01 00:00:00Z$/m,
  )
  expect(JSON.parse((await runCommand([...words, '--json'], dir)).stdout)).toMatchObject({
    rows: [{ history_views: ['loyalty'] }, { history_views: [] }],
  })
})

test('a written row is online at once; with the next sync it stays or goes, and is found either way', async () => {
  const late = { customer: 'c001', points: 9999n, event_timestamp: new Date('2025-06-01') }
  const rows = [
    { customer: 'c001', points: 5n },
    { customer: 'c002', points: 500n },
    { ...late, customer: 'c003' },
  ]
  const written = await client.writeFeatures('loyalty', rows)
  expect(written.map(({ status }) => status)).toEqual(['APPLIED', 'APPLIED', 'HISTORY_ONLY'])
  const before = [present(5n, 'online'), present(500n, 'online'), present(3n, 'loyalty'), present(190n, 'online')]
  expect(await points(['c001', 'c002', 'c003', 'c190'])).toEqual(before)

  await client.sync({ views: ['loyalty'] })
  const after = [present(5n, 'loyalty'), present(500n, 'online'), present(3n, 'loyalty'), present(190n, 'loyalty')]
  expect(await points(['c001', 'c002', 'c003', 'c190'])).toEqual(after)
  expect(await points(['c001', 'c002', 'c003', 'c190'], 'FRESH')).toEqual(after)

  expect((await client.writeFeatures('loyalty', [late]))[0]!.status).toBe('HISTORY_ONLY')
  expect(await points(['c001'], 'FRESH')).toEqual([present(5n, 'loyalty')])
  const { rows: history } = await client.history('loyalty', { customer: 'c001' })
  expect(history.map(({ values }) => values['points'])).toEqual([5n, 1n, 9999n])
})

test('after a restart it is all the same', async () => {
  expect(await server.stop()).toBe(0)
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions })
  client.close()
  client = connect(server.address)
  expect(server.stderr()).not.toMatch(/synced/)
  expect(await points(['c001', 'c002', 'c190'])).toEqual([
    present(5n, 'loyalty'),
    present(500n, 'online'),
    present(190n, 'loyalty'),
  ])
})

test.each([
  [{ service: 'propensity_training' }, 'for training sets and exports only'],
  [{ features: ['outcomes:bought'] }, 'view outcomes is offline only'],
])('%j cannot be asked for online', async (selection, message) => {
  const asked = client.getFeatures({ ...selection, entities: [{ customer: 'ann' }] })
  await expect(asked).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining(message) })
})
