/** Damaged stores: what is damaged is reported by its name and never served as data; everything else goes on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { callFailure } from '../support/call-failure.ts'
import { readExportRows } from '../support/export-rows.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { EVERY_TYPE } from './bad-input-fixture.ts'

let dataDir: string
let server: ServerProcess
let client: TwinstoreClient

async function start(): Promise<void> {
  server = await startServerProcess({
    dataDir,
    definitions: EVERY_TYPE,
    flags: [
      '--archive-interval',
      '20ms',
      '--archive-retry-min',
      '20ms',
      '--archive-retry-max',
      '50ms',
      '--drain-timeout',
      '1s',
    ],
  })
  client = connect(server.address, { attemptsMax: 1 })
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'twinstore-damage-'))
  await start()
  await client.writeFeatures(
    'every_type',
    [
      { item: 'a', a_double: 1 },
      { item: 'b', a_double: 2 },
    ],
    { ack: 'BOTH' },
  )
  await client.writeFeatures('stock', [{ item: 'a', shop: 1n, on_hand: 7n }], { ack: 'BOTH' })
})
afterEach(async () => {
  client.close()
  await server.kill()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A change of the embedded store by its own library, while no server has it. */
async function changeStore(
  change: (values: Database<Buffer, Buffer>, meta: Database<Buffer, Buffer>) => void,
): Promise<void> {
  client.close()
  expect(await server.stop()).toBe(0)
  const options = { encoding: 'binary', keyEncoding: 'binary' } as const
  const root = open<Buffer, Buffer>({ path: join(dataDir, 'online'), noSubdir: false, maxDbs: 6, ...options })
  root.transactionSync(() => change(root.openDB('values', options), root.openDB('meta', options)))
  await root.close()
}

test('a corrupt online row is UNAVAILABLE, logged with its name, and mended by a write', async () => {
  await changeStore((values) => {
    for (const key of values.getKeys()) {
      if (!key.includes('every_type') || !key.includes(Buffer.from('\x01a', 'latin1'))) continue
      const row = Buffer.from(values.get(key)!)
      row[row.length - 1]! ^= 0xff
      values.put(key, row)
    }
  })
  await start()
  const ask = () =>
    client.getFeatures({
      features: ['every_type:a_double'],
      entities: [{ item: 'a' }, { item: 'b' }],
      consistency: 'FRESH',
    })
  const { rows } = await ask()
  expect(rows.map((row) => [row.values['every_type__a_double'], row.statuses['every_type__a_double']])).toEqual([
    [null, 'UNAVAILABLE'],
    [2, 'PRESENT'],
  ])
  await expect.poll(() => server.stderr()).toMatch(/view every_type, entity key \w+\): write the row again/)
  await client.writeFeatures('every_type', [{ item: 'a', a_double: 3 }])
  expect((await ask()).rows[0]!.values['every_type__a_double']).toBe(3)
})

test('a store of a newer format is refused by its folder and format', async () => {
  await changeStore((_, meta) => {
    const key = Buffer.from('header')
    meta.put(key, Buffer.from(JSON.stringify({ ...JSON.parse(String(meta.get(key))), format: 99 })))
  })
  await expect(start()).rejects.toThrow(
    /\(4\):\n[\s\S]*error: the online store in \S+online has format 99, this program reads and writes 1/,
  )
})

const table = (view: string) => join(dataDir, 'offline', 'views', view, 'v1')

function dataFile(view: string): string {
  const [partition] = readdirSync(table(view)).filter((name) => name.startsWith('event_date='))
  const folder = join(table(view), partition!)
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.parquet'))!)
}

/** The other view is answered, and both online. */
async function expectRestGoesOn(): Promise<void> {
  await client.writeFeatures('stock', [{ item: 'a', shop: 2n, on_hand: 8n }], { ack: 'BOTH' })
  const stock = await readExportRows(client, { view: 'stock', columns: ['shop', 'on_hand'], latestOnly: true })
  expect(stock).toEqual([
    { shop: 1n, on_hand: 7n },
    { shop: 2n, on_hand: 8n },
  ])
  const { rows } = await client.getFeatures({ features: ['every_type:a_double'], entities: [{ item: 'a' }] })
  expect(rows[0]!.values['every_type__a_double']).toBe(1)
}

test('a data file that is cut short, overwritten or gone is DATA_LOSS by its name', async () => {
  const file = dataFile('every_type')
  const sound = readFileSync(file)
  const expected = { code: 'DATA_LOSS', message: expect.stringContaining(file.slice(file.lastIndexOf('/') + 1)) }
  const damages = [
    () => truncateSync(file, 100),
    () => writeFileSync(file, Buffer.alloc(sound.length, 'x')),
    () => rmSync(file),
  ]
  for (const damage of damages) {
    damage()
    expect(await callFailure(readExportRows(client, { view: 'every_type' }))).toMatchObject(expected)
    expect(await callFailure(client.history('every_type', { item: 'a' }))).toMatchObject(expected)
    await expectRestGoesOn()
    writeFileSync(file, sound)
  }
  expect(await readExportRows(client, { view: 'every_type' })).toHaveLength(2)
})

test('a log entry that is damaged is DATA_LOSS by its name, for its view alone', async () => {
  const log = join(table('every_type'), '_delta_log')
  const entry = `${String(readdirSync(log).length).padStart(20, '0')}.json`
  writeFileSync(join(log, entry), '{"add":')
  const damaged = { code: 'DATA_LOSS', message: expect.stringContaining(entry) }
  expect(await callFailure(readExportRows(client, { view: 'every_type' }))).toMatchObject(damaged)
  await expectRestGoesOn()
  await client.writeFeatures('every_type', [{ item: 'c', a_double: 3 }])
  const stuck = { code: 'UNAVAILABLE', message: expect.stringContaining(entry) }
  expect(await callFailure(client.history('every_type', { item: 'c' }))).toMatchObject(stuck)
  expect((await client.status()).problems.join('\n')).toContain(entry)
  await expectRestGoesOn()

  client.close()
  await server.stop()
  await expect(start(), 'a start').rejects.toThrow(new RegExp(`\\(7\\):\\n[\\s\\S]*error: .*${entry}`))
})
