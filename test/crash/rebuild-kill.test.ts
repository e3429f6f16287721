/**
 * The online store is lost and brought back from the history, by a server that is killed with SIGKILL in the middle. What comes
 * after goes on where it stopped, and in the end every key has online what is latest in its history, with rows written and
 * still in the outbox meanwhile (G1, G2).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { type ExportRow, readExportRows } from '../support/export-rows.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
const ACCOUNTS = 1500
const WRITE_ROWS = 1000
/** Small parts, so that a kill meets the middle. */
const PARTS = [
  '--sync-seed-rows',
  '5',
  '--sync-pass-rows',
  '700',
  '--progress-interval',
  '10ms',
  '--log-level',
  'fatal',
]

let dir: string
let redis: RedisProcess
const servers: ServerProcess[] = []
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-rebuild-'))
  redis = await startRedis()
})
afterAll(async () => {
  for (const server of servers) await server.kill()
  await redis.dispose()
  rmSync(dir, { recursive: true, force: true })
})

interface Running {
  readonly server: ServerProcess
  readonly client: TwinstoreClient
}

async function serve(dataDir: string, ...flags: readonly string[]): Promise<Running> {
  const server = await startServerProcess({
    dataDir: join(dir, dataDir),
    definitions: DEFINITIONS,
    flags: [...PARTS, ...flags],
  })
  servers.push(server)
  return { server, client: connect(server.address, { attemptsMax: 1, deadlineMs: 60_000 }) }
}

async function end({ server, client }: Running): Promise<void> {
  client.close()
  await server.kill()
}

async function writeAll(client: TwinstoreClient, attempt: bigint, accounts: readonly bigint[]): Promise<void> {
  for (let from = 0; from < accounts.length; from += WRITE_ROWS) {
    const rows = accounts
      .slice(from, from + WRITE_ROWS)
      .map((account) => ({ account, attempt, amount: Number(account) }))
    await client.writeFeatures('ledger', rows, { ack: 'BOTH' })
  }
}

const accounts = Array.from({ length: ACCOUNTS }, (_, index) => BigInt(index))

/** What every account has online, and what is latest in its history. */
async function bothTwins(client: TwinstoreClient) {
  const online = new Map<string, unknown>()
  for (let from = 0; from < ACCOUNTS; from += WRITE_ROWS) {
    const entities = accounts.slice(from, from + WRITE_ROWS).map((account) => ({ account }))
    const { rows } = await client.getFeatures({ service: 'balances', entities, consistency: 'FRESH' })
    for (const [index, { values }] of rows.entries()) {
      online.set(String(from + index), [values['ledger__attempt'], values['ledger__amount']])
    }
  }
  const history = new Map<string, unknown>()
  const latest = await readExportRows(client, { view: 'ledger', latestOnly: true })
  for (const row of latest as readonly ExportRow[]) history.set(String(row['account']), [row['attempt'], row['amount']])
  return { online, history }
}

/** Ends the server by SIGKILL when a rebuild has brought so much of the rows online. */
async function killAt({ server, client }: Running, share: number): Promise<void> {
  let killed: Promise<void> | undefined
  const rebuild = client.sync({
    rebuild: true,
    anew: true,
    onProgress: (_, { step, fraction = 0 }) => {
      if (step === 'bringing rows online' && fraction > share) killed ??= server.kill()
    },
  })
  await expect(rebuild).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await killed
  client.close()
}

test.each([
  ['LMDB', [], 'lmdb'],
  ['Redis', ['--online', 'redis'], 'redis'],
])(
  'over %s a rebuild that is killed midway goes on there, and then nothing is missing',
  { timeout: 120_000 },
  async (_, given, data) => {
    const flags = given.map((flag) => (flag === 'redis' ? `redis://127.0.0.1:${redis.port}/1` : flag))
    const first = await serve(data, ...flags)
    await writeAll(first.client, 1n, accounts)
    await writeAll(first.client, 2n, accounts.slice(0, 1200))
    await killAt(first, 0.5)

    const second = await serve(data, ...flags, '--archive-interval', '10m')
    // In the outbox while the rebuild goes on, unless the archiver has just begun a pass: then they are gone over too.
    const waiting = accounts.slice(0, 50).map((account) => ({ account, attempt: 3n, amount: Number(account) }))
    await second.client.writeFeatures('ledger', waiting)
    const [resumed] = await second.client.sync({ rebuild: true })
    expect(resumed).toMatchObject({ view: 'ledger', rowsAdded: 0, upToDate: false })
    expect(resumed!.entitiesResumed).toBeGreaterThan(0)
    expect(resumed!.entitiesResumed).toBeLessThan(ACCOUNTS)
    expect([0, 50]).toContain(resumed!.rowsRead - (ACCOUNTS - resumed!.entitiesResumed))
    const isDone = async () => (await second.client.sync({ rebuild: true }))[0]!.upToDate
    await expect.poll(isDone, { timeout: 30_000 }).toBe(true)

    const { online, history } = await bothTwins(second.client)
    expect(online).toEqual(history)
    expect(history.get('49')).toEqual([3n, 49])
    expect(history.get('1199')).toEqual([2n, 1199])
    expect(history.size).toBe(ACCOUNTS)
    await end(second)
    if (data !== 'lmdb') return
    rmSync(join(dir, data, 'online'), { recursive: true })
    const third = await serve(data)
    expect((await bothTwins(third.client)).online).toEqual(history)
    await end(third)
  },
)

test('after FLUSHALL a restart fills Redis again; one that is killed midway is continued by the next', {
  timeout: 120_000,
}, async () => {
  const flags = ['--online', `redis://127.0.0.1:${redis.port}`]
  const first = await serve('flushed', ...flags)
  await writeAll(first.client, 1n, accounts)
  await redis.command('FLUSHALL')
  const refused = first.client.writeFeatures('ledger', [{ account: 1n, attempt: 2n }])
  await expect(refused).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: /restart the instances/ })
  await expect(first.client.sync({ rebuild: true })).rejects.toMatchObject({ message: /restart the instances/ })
  await end(first)

  const note = async () => {
    const text = await redis.command('HGET', 'marks:{default}', 'sync/ledger').catch(() => '')
    return /"entities":(\d+)/.exec(text)?.[1]
  }
  let killed = false
  const start = serveUntilKilled(flags, async (kill) => {
    await expect.poll(note, { timeout: 60_000, interval: 5 }).toMatch(/[1-9]/)
    await kill()
    killed = true
  })
  await expect(start).rejects.toThrow(/ended before it was ready/)
  expect(killed).toBe(true)
  const done = Number(await note())
  expect(done).toBeGreaterThan(0)

  const second = await serve('flushed', ...flags)
  const { online, history } = await bothTwins(second.client)
  expect(online).toEqual(history)
  expect(history.size).toBe(ACCOUNTS)
  expect(await second.client.sync({ rebuild: true })).toMatchObject([{ upToDate: true }])
  expect(await second.client.writeFeatures('ledger', [{ account: 1n, attempt: 2n }])).toMatchObject([
    { status: 'APPLIED' },
  ])
  await end(second)
})

async function serveUntilKilled(flags: readonly string[], meet: (kill: () => Promise<void>) => Promise<void>) {
  let meeting: Promise<void> | undefined
  await startServerProcess({
    dataDir: join(dir, 'flushed'),
    definitions: DEFINITIONS,
    flags: [...PARTS, ...flags],
    onSpawn: (child) => {
      meeting = meet(async () => void child.kill('SIGKILL'))
    },
  }).finally(() => meeting)
}
