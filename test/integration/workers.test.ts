/** `twinstore serve --workers`: coherent, replaced when killed, and gone when their server is. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, type TwinstoreClient, TwinstoreError, type WriteRow } from '../../src/client/index.ts'
import { readExportRows } from '../support/export-rows.ts'
import { acceptedConnections, childrenOf, isRunning, treeOf } from '../support/process-tree.ts'
import { startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { TRANSPORT, transportAt } from '../support/transport.ts'

const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
const FLAGS = ['--archive-interval', '50ms', '--log-level', 'warn']
/** What "at once" is bounded by on a machine that does other things too. */
const SOON_MS = 20_000

let dataDir: string
let clients: TwinstoreClient[]
/** Every process that a test saw, so that none outlives a test that failed. */
let seen: Set<number>

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'twinstore-workers-'))
  clients = []
  seen = new Set()
})

afterEach(async () => {
  for (const client of clients) client.close()
  for (const pid of seen) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  await allGone()
  rmSync(dataDir, { recursive: true, force: true })
})

async function serve(workers: number, ...flags: readonly string[]): Promise<ServerProcess> {
  const server = await startServerProcess({
    dataDir,
    definitions: DEFINITIONS,
    flags: [...FLAGS, '--workers', String(workers), ...flags],
    onSpawn: (child) => seen.add(child.pid!),
  })
  see(server)
  return server
}

function see(server: ServerProcess): void {
  for (const pid of treeOf(server.process.pid!)) seen.add(pid)
}

function workersOf(server: ServerProcess): number[] {
  see(server)
  return childrenOf(server.process.pid!)
}

function allGone(): Promise<unknown> {
  return until('every process is gone', SOON_MS, () => [...seen].every((pid) => !isRunning(pid)))
}

function client(server: ServerProcess): TwinstoreClient {
  const made = connect(server.address, { attemptsMax: 1 })
  clients.push(made)
  return made
}

async function connections(server: ServerProcess, count: number): Promise<TwinstoreClient[]> {
  const made = Array.from({ length: count }, () => client(server))
  for (const each of made) await each.describe()
  return made
}

function row(account: number, attempt: number): WriteRow {
  return { account, attempt, amount: attempt / 2, event_timestamp: new Date(Date.UTC(2026, 0, 1) + attempt * 1000) }
}

async function read(from: TwinstoreClient, account: number, consistency: 'CACHED' | 'FRESH'): Promise<unknown> {
  const answer = await from.getFeatures({ service: 'balances', entities: [{ account }], consistency })
  return answer.rows[0]!.values['ledger__attempt']
}

async function killWorker(server: ServerProcess, pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await until('the worker is gone', SOON_MS, () => !isRunning(pid))
  await until('another worker has started', SOON_MS, () => workersOf(server).length === 2)
}

describe.each(['LMDB', 'Redis'])('two workers over %s', (kind) => {
  test('connections are spread, and a write through one worker is seen through the other', async () => {
    const redis = kind === 'Redis' ? await startRedis() : undefined
    try {
      const server = await serve(2, ...(redis === undefined ? [] : ['--online', redis.url]))
      expect(await transportAt(server.address)).toBe(TRANSPORT)
      const all = await connections(server, 16)
      const port = Number(server.address.split(':')[1])
      expect(acceptedConnections(port, workersOf(server))).toEqual([8, 8])
      await expectCoherent(all)
      expect(await server.stop()).toBe(0)
    } finally {
      await redis?.dispose()
    }
  })
})

async function expectCoherent(all: readonly TwinstoreClient[]): Promise<void> {
  const delaysMs: number[] = []
  for (let attempt = 1; attempt <= 30; attempt++) {
    // Both caches hold the value before it changes.
    for (const each of all) await read(each, 1, 'CACHED')
    const writer = all[attempt % all.length]!
    await writer.writeFeatures('ledger', [row(1, attempt)])
    const writtenMs = performance.now()
    expect(await read(writer, 1, 'CACHED'), 'CACHED through the writing worker').toBe(BigInt(attempt))
    const others = all.map((each) =>
      until('CACHED through the other worker', 1000, async () => (await read(each, 1, 'CACHED')) === BigInt(attempt)),
    )
    const fresh = await Promise.all(all.map((each) => read(each, 1, 'FRESH')))
    expect(new Set(fresh), 'FRESH through every connection').toEqual(new Set([BigInt(attempt)]))
    await Promise.all(others)
    delaysMs.push(performance.now() - writtenMs)
  }
  console.log(`seen through all connections within ${Math.max(...delaysMs).toFixed(0)} ms of the acknowledgement`)
}

/** How durable a commit is does not depend on what brought it: both over lean, the default alone over grpc-js. */
const DURABILITIES = TRANSPORT === 'lean' ? ['machine', 'process'] : ['machine']

test.each(DURABILITIES)(
  'workers killed under load lose and double no acknowledged row (durability %s)',
  { timeout: 120_000 },
  async (durability) => {
    const server = await serve(2, '--lmdb-durability', durability, '--archive-lease', '500ms')
    const acknowledged = new Set<bigint>()
    let attempts = 0
    let stopping = false
    const writer = async (own: TwinstoreClient): Promise<void> => {
      while (!stopping) {
        const rows = Array.from({ length: 3 }, () => row(attempts % 20, ++attempts))
        await writeUntilAcknowledged(own, rows)
        for (const { attempt } of rows) acknowledged.add(BigInt(attempt as number))
      }
    }
    const writing = Promise.all((await connections(server, 6)).map(writer))
    for (let kill = 0; kill < 6; kill++) {
      const before = acknowledged.size
      const reached = until('rows are acknowledged', SOON_MS, () => acknowledged.size > before + 100)
      await Promise.race([reached, writing])
      await killWorker(server, workersOf(server)[kill % 2]!)
    }
    stopping = true
    await writing

    const history = await readExportRows(client(server), { view: 'ledger', columns: ['account', 'attempt'] })
    const stored = history.map((found) => found['attempt'] as bigint)
    expect(stored.length, 'rows that are in the history twice').toBe(new Set(stored).size)
    expect([...acknowledged].filter((attempt) => !stored.includes(attempt))).toEqual([])
    for (let account = 0; account < 20; account++) {
      const own = history
        .filter((found) => found['account'] === BigInt(account))
        .map((found) => found['attempt'] as bigint)
      const greatest = own.reduce((a, b) => (a > b ? a : b), 0n)
      expect(await read(client(server), account, 'FRESH'), `account ${account}`).toBe(greatest)
    }
    expect(await server.stop()).toBe(0)
    await allGone()
    expect(existsSync(join(dataDir, 'online', 'unflushed')), 'the marker of unflushed commits').toBe(false)
    console.log(`6 kills, ${acknowledged.size} rows acknowledged of ${attempts} sent`)
  },
)

/** The same write id until a worker answers. */
async function writeUntilAcknowledged(own: TwinstoreClient, rows: readonly WriteRow[]): Promise<void> {
  const writeId = `w-${rows[0]!['attempt']}`
  for (;;) {
    try {
      await own.writeFeatures('ledger', rows, { writeId, deadlineMs: 10_000 })
      return
    } catch (error) {
      const retry = error instanceof TwinstoreError && ['UNAVAILABLE', 'CANCELLED', 'INTERNAL'].includes(error.code)
      if (!retry) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

test('SIGTERM drains every worker, and the folder is held until then', async () => {
  const server = await serve(3)
  expect(workersOf(server)).toHaveLength(3)
  await expect(serve(1)).rejects.toThrow(/in use by process \d+.*option data-dir/)
  await client(server).writeFeatures('ledger', [row(1, 1)])
  expect(await server.stop()).toBe(0)
  await allGone()
  const alone = await serve(1)
  expect(await read(client(alone), 1, 'FRESH')).toBe(1n)
  expect(await alone.stop()).toBe(0)
})

test('a second signal ends every process at once', async () => {
  const server = await serve(2, '--drain-timeout', '5m')
  const endless = async function* (): AsyncGenerator<WriteRow> {
    yield row(1, 1)
    await new Promise(() => {})
  }
  // A call under way, which the drain waits for.
  client(server)
    .ingest('ledger', endless(), { batchRows: 1 })
    .catch(() => undefined)
  await until('the call is under way', SOON_MS, async () => (await read(client(server), 1, 'FRESH')) === 1n)
  see(server)
  server.process.kill('SIGTERM')
  await until('the drain has begun', SOON_MS, () => server.stderr().includes('stopping'))
  server.process.kill('SIGTERM')
  await until('the server has ended', SOON_MS, () => server.process.signalCode !== null)
  await allGone()
  expect(server.process.signalCode, `${server.process.exitCode}: ${server.stderr()}`).toBe('SIGTERM')
})

test('workers whose supervisor is killed end by themselves, and the server starts again on the port', async () => {
  const server = await serve(2)
  await client(server).writeFeatures('ledger', [row(1, 7)])
  see(server)
  await server.kill()
  await allGone()
  const again = await serve(2, '--grpc', server.address)
  expect(await read(client(again), 1, 'FRESH')).toBe(7n)
  expect(await again.stop()).toBe(0)
})

test('the port stays the same when all workers are killed together', async () => {
  const server = await serve(2)
  const before = workersOf(server)
  for (const pid of before) process.kill(pid, 'SIGKILL')
  const own = client(server)
  const written = () => own.writeFeatures('ledger', [row(1, 1)]).then(() => true)
  await until('a new worker takes a write', SOON_MS, written)
  expect(workersOf(server).filter((pid) => before.includes(pid))).toEqual([])
  expect(await server.stop()).toBe(0)
})

test('a server whose workers keep ending stops, and names the limit', async () => {
  const server = await serve(2, '--worker-restarts-max', '1')
  await killWorker(server, workersOf(server)[0]!)
  process.kill(workersOf(server)[0]!, 'SIGKILL')
  await until('the server has ended', SOON_MS, () => server.process.exitCode !== null)
  await allGone()
  expect(server.process.exitCode).toBe(6)
  expect(server.stderr()).toMatch(/worker 1 ended \(SIGKILL\): starting another/)
  expect(server.stderr()).toMatch(/started anew 1 times within a minute, which is the limit worker-restarts-max/)
})

test('a start that fails says so once and ends with its code', async () => {
  const redis = await startRedis()
  const url = redis.url
  await redis.dispose()
  const message = await serve(2, '--online', url).then(String, String)
  expect(message).toMatch(/ended before it was ready \(5\)/)
  expect(message.match(/error:/g)).toHaveLength(1)
  await allGone()
})
