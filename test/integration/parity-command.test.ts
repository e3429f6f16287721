/** `twinstore parity` as an operator runs it, against a server that goes on serving. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { entityKey, rowKey } from '../../src/domain/entity-key.ts'
import { runCommand } from '../support/cli-process.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { inValues, temporaryDir } from './parity-stores.ts'

const LEDGER = new URL('../fixtures/ledger', import.meta.url).pathname
const TWINS_DIFFER = 10

async function started(dataDir: string, ...flags: readonly string[]): Promise<ServerProcess> {
  const server = await startServerProcess({ dataDir, definitions: LEDGER, flags })
  onTestFinished(async () => void (await server.stop()))
  return server
}

const keyOf = (account: bigint): Buffer => Buffer.from(rowKey('ledger', entityKey(['int64'], [account])), 'latin1')

test('faults of a running server are named with what differs, mended on demand, and gone from its status', {
  timeout: 180_000,
}, async () => {
  const dataDir = await temporaryDir()
  const server = await started(dataDir, '--parity-interval', '0s', '--archive-interval', '50ms')
  const client = connect(server.address)
  onTestFinished(() => client.close())
  const rows = Array.from({ length: 20 }, (_, account) => ({
    account: BigInt(account),
    amount: account / 4,
    note: 'x',
  }))
  await client.writeFeatures('ledger', rows, { ack: 'BOTH' })
  const twinstore = (...args: readonly string[]) => runCommand([...args, '--address', server.address], dataDir)

  const clean = await twinstore('parity')
  expect(clean.exitCode, clean.stderr).toBe(0)
  expect(clean.stdout).toMatch(/ledger +all +20 +20 +0/)

  await inValues(join(dataDir, 'online'), (table) => {
    table.removeSync(keyOf(7n))
    table.putSync(keyOf(8n), Buffer.from(table.get(keyOf(8n))!.subarray(0, 40)))
  })
  const found = await twinstore('parity', 'ledger')
  expect(found.exitCode).toBe(TWINS_DIFFER)
  expect(found.stdout).toMatch(/account=7 +missing online/)
  expect(found.stdout).toMatch(/account=8 +unreadable/)
  const status = await client.status()
  expect(status.problems).toEqual([expect.stringMatching(/parity: the twins of ledger differ in 2 of the 20 keys/)])
  expect(status.parity).toMatchObject([
    { view: 'ledger', keys: 20, openFaults: 2, counts: { equal: 18, missingOnline: 1, unreadable: 1 } },
  ])

  const mended = await twinstore('parity', '--repair', '--json')
  expect(mended.exitCode).toBe(0)
  const [result] = JSON.parse(mended.stdout) as [{ findings: { entity: unknown; kind: string; repaired: string }[] }]
  expect(result).toMatchObject({ faults: 2, repaired: 2 })
  expect(result.findings.map(({ entity, kind, repaired }) => [entity, kind, repaired])).toEqual([
    [{ account: '7' }, 'missing_online', 'put back online'],
    [{ account: '8' }, 'unreadable', 'put back online'],
  ])
  expect((await client.status()).problems).toEqual([])
  const { rows: read } = await client.getFeatures({
    service: 'balances',
    entities: [{ account: 7n }, { account: 8n }],
    consistency: 'FRESH',
  })
  expect(read.map(({ values }) => values['ledger__amount'])).toEqual([1.75, 2])
  let keys = 0
  for (const part of [0, 1, 2]) keys += (await client.parity({ sample: { parts: 3, part } }))[0]!.keys
  expect(keys).toBe(20)

  const refused = async (...args: readonly string[]) => {
    const { exitCode, stderr } = await twinstore('parity', ...args)
    return [exitCode, stderr]
  }
  expect(await refused('ledgr')).toEqual([3, expect.stringContaining('ledger')])
  expect(await refused('--sample', '16')).toEqual([2, expect.stringContaining('1/16')])
  expect(await refused('--sample', '1/4', '--offset', '4')).toEqual([2, expect.stringContaining('no part 4 of 4')])
})

test('a server finds and mends by itself, part by part, and its metrics say so', { timeout: 180_000 }, async () => {
  const dataDir = await temporaryDir()
  const flags = ['--parity-interval', '20ms', '--parity-parts', '3', '--parity-repair', 'yes']
  const server = await started(dataDir, ...flags, '--schedule-look-interval', '20ms', '--metrics', '127.0.0.1:0')
  const client = connect(server.address)
  onTestFinished(() => client.close())
  const rows = Array.from({ length: 12 }, (_, account) => ({ account: BigInt(account), amount: account }))
  await client.writeFeatures('ledger', rows, { ack: 'BOTH' })
  await inValues(join(dataDir, 'online'), (table) => {
    for (const { account } of rows) table.removeSync(keyOf(account))
  })
  const amounts = async (): Promise<unknown[]> => {
    const { rows: read } = await client.getFeatures({
      service: 'balances',
      entities: rows.map(({ account }) => ({ account })),
      consistency: 'FRESH',
    })
    return read.map(({ values }) => values['ledger__amount'])
  }
  await expect.poll(amounts, { timeout: 30_000 }).toEqual(rows.map(({ amount }) => amount))
  await expect.poll(async () => (await client.status()).parity[0]?.partsSeen, { timeout: 30_000 }).toBe(3)
  const page = await (await fetch(`http://${server.metricsAddress}/metrics`)).text()
  expect(page).toMatch(/twinstore_parity_open_faults\{view="ledger"\} 0/)
  expect(page).toMatch(/twinstore_parity_keys\{view="ledger",class="equal"\} \d/)
})
