/** An auditor's questions: what was believed when, about when, and what became of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type History, type TwinstoreClient } from '../../src/client/index.ts'
import { type CommandResult, runCommand } from '../support/cli-process.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

let dir: string
let server: ServerProcess
let client: TwinstoreClient
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-history-'))
  const definitions = new URL('../fixtures/ledger', import.meta.url).pathname
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions })
  client = connect(server.address)
})
afterAll(async () => {
  client.close()
  await server.kill()
  rmSync(dir, { recursive: true, force: true })
})

const [MAY, JUNE] = [Date.UTC(2024, 4, 1), Date.UTC(2024, 5, 1)].map((ms) => new Date(ms))
const amounts = ({ rows }: History) => rows.map((row) => row.values['amount'])
const command = (...more: string[]): Promise<CommandResult> =>
  runCommand(['history', 'ledger', 'account=7', ...more, '--address', server.address], dir)

/** Writes one row and gives the time at which it was recorded. */
async function write(eventTimestamp: Date, amount: number): Promise<bigint> {
  await client.writeFeatures('ledger', [{ account: 7n, amount, event_timestamp: eventTimestamp }])
  const { rows } = await client.history('ledger', { account: 7n })
  return rows.find((row) => row.values['amount'] === amount)!.createdTimestampMicros
}

test('a value corrected later: the history as recorded before and after, and rows that were replaced or late', async () => {
  const first = await write(MAY!, 100)
  const second = await write(JUNE!, 200)
  const correction = await write(MAY!, 150)
  const all = await client.history('ledger', { account: 7n })
  expect(amounts(all)).toEqual([200, 150, 100])
  expect(all.rows.map(({ origin, replaced, late }) => [origin, replaced, late])).toEqual([
    ['write', false, false],
    ['write', false, true],
    ['write', true, false],
  ])

  const asOf = async (asOfRecorded: bigint, asOfEvent?: Date) =>
    amounts(await client.history('ledger', { account: 7n }, { asOfRecorded, ...(asOfEvent && { asOfEvent }) }))
  expect(await asOf(first)).toEqual([100])
  expect(await asOf(second)).toEqual([200, 100])
  expect(await asOf(correction - 1n)).toEqual([200, 100])
  expect(await asOf(correction)).toEqual([200, 150, 100])
  // What was known of May: before the correction, and after.
  expect(await asOf(correction - 1n, MAY)).toEqual([100])
  expect(await asOf(correction, MAY)).toEqual([150, 100])
  expect(await asOf(first - 1n)).toEqual([])
  // Before the correction was known, nothing had been replaced.
  const before = await client.history('ledger', { account: 7n }, { asOfRecorded: second })
  expect(before.rows.some((row) => row.replaced || row.late)).toBe(false)
})

test('the command shows each row with its origin and what became of it, and says what it leaves out', async () => {
  const { stdout, stderr, exitCode } = await command()
  expect([exitCode, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^event timestamp\s+recorded\s+origin\s+note\s+attempt\s+amount/)
  const [, june, corrected, first] = stdout.split('\n').map((line) => line.split(/ {2,}/))
  expect(june![0]).toBe('2024-06-01 00:00:00Z')
  expect([corrected![3], first![3]]).toEqual(['late', 'replaced'])

  const newest = await command('--limit', '2')
  expect(newest.stdout.trimEnd().split('\n')).toHaveLength(3)
  expect(newest.stderr).toContain('the newest 2 rows only: older ones are left out')
  const json = JSON.parse((await command('--limit', '2', '--json')).stdout)
  expect(json).toMatchObject({ truncated: true, rows: [{ late: false }, { late: true, replaced: false }] })

  const may = await command('--as-of', '2024-05-15', '--json')
  expect(JSON.parse(may.stdout).rows.map((row: { values: { amount: number } }) => row.values.amount)).toEqual([
    150, 100,
  ])
  expect((await command('--recorded-by', '2020-01-01')).stdout).toContain('no rows of ledger for account=7')
  expect(await command('--recorded-by', 'yesterday')).toMatchObject({ exitCode: 2 })
})
