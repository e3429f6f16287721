/**
 * The offline store goes away under a running server and comes back: a file in the place of the folder of its tables, which no
 * user's rights get around. Reads go on throughout, writes until the outbox is full, and afterwards nothing is lost or
 * doubled.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { callFailure } from '../support/call-failure.ts'
import { readExportRows } from '../support/export-rows.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
const OUTBOX_ROWS_MAX = 10

let dataDir: string
let server: ServerProcess
let client: TwinstoreClient
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'twinstore-outage-'))
  server = await startServerProcess({
    dataDir,
    definitions: DEFINITIONS,
    flags: [
      ...['--outbox-rows-max', String(OUTBOX_ROWS_MAX), '--write-rows-max', '10', '--drain-timeout', '5s'],
      ...['--archive-interval', '20ms', '--archive-retry-min', '20ms', '--archive-retry-max', '100ms'],
    ],
  })
  client = connect(server.address, { attemptsMax: 1 })
})
afterAll(async () => {
  client.close()
  await server.kill()
  rmSync(dataDir, { recursive: true, force: true })
})

const row = (account: number) => ({ account: BigInt(account), attempt: BigInt(account), amount: account / 2 })

async function onlineAttempts(accounts: readonly number[]): Promise<unknown[]> {
  const answer = await client.getFeatures({
    service: 'balances',
    entities: accounts.map((account) => ({ account: BigInt(account) })),
    consistency: 'FRESH',
  })
  return answer.rows.map((each) => each.values['ledger__attempt'])
}

test('an outage of the offline store, to the outbox limit and back', async () => {
  const views = join(dataDir, 'offline', 'views')
  await client.writeFeatures('ledger', [row(1)], { ack: 'BOTH' })

  renameSync(views, `${views}.away`)
  writeFileSync(views, '')
  expect(await callFailure(readExportRows(client, { view: 'ledger' })), 'an export with an empty outbox').toMatchObject(
    {
      code: 'UNAVAILABLE',
      message: expect.stringContaining('views/ledger/v1'),
    },
  )

  for (let account = 2; account < 2 + OUTBOX_ROWS_MAX - 1; account++)
    await client.writeFeatures('ledger', [row(account)])
  const both = await callFailure(
    client.writeFeatures('ledger', [row(11)], { ack: 'BOTH', writeId: 'both', deadlineMs: 1000 }),
  )
  expect(both).toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    message: expect.stringMatching(/^the rows ARE accepted online and will be archived/),
  })
  const full = await callFailure(client.writeFeatures('ledger', [row(12)]))
  expect(full).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('outbox-rows-max') })

  const accepted = Array.from({ length: 11 }, (_, index) => index + 1)
  expect(await onlineAttempts([...accepted, 12])).toEqual([...accepted.map(BigInt), null])
  const history = await callFailure(client.history('ledger', { account: 1n }))
  expect(history).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('could not be committed offline'),
  })
  const { outbox, problems } = await client.status()
  expect(outbox).toMatchObject({ rows: OUTBOX_ROWS_MAX, rowsMax: OUTBOX_ROWS_MAX })
  expect(problems.join('\n')).toContain('views/ledger')

  rmSync(views)
  renameSync(`${views}.away`, views)
  const again = await client.writeFeatures('ledger', [row(11)], { ack: 'BOTH', writeId: 'both' })
  expect(again).toHaveLength(1)
  await client.writeFeatures('ledger', [row(12)], { ack: 'BOTH' })
  const rows = await readExportRows(client, { view: 'ledger', columns: ['account', 'attempt'] })
  const exported = rows.map((each) => Number(each['attempt'])).sort((a, b) => a - b)
  expect(exported).toEqual([...accepted, 12])
  expect(await onlineAttempts([...accepted, 12])).toEqual([...accepted, 12].map(BigInt))
  await expect.poll(async () => (await client.status()).problems).toEqual([])
})
