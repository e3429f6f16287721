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

test.each([
  [{ service: 'propensity_training' }, 'for training sets and exports only'],
  [{ features: ['outcomes:bought'] }, 'view outcomes is offline only'],
])('%j cannot be asked for online', async (selection, message) => {
  const asked = client.getFeatures({ ...selection, entities: [{ customer: 'ann' }] })
  await expect(asked).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining(message) })
})
