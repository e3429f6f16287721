/**
 * A server under concurrent writers is killed with SIGKILL again and again, at random moments of its life, start-up and
 * archiving included. Afterwards every acknowledged row must be in the history exactly once, no row may be there twice, and the
 * online value of every key must be the greatest version of its history (G1, G2).
 *
 * Repeat a run with TEST_SEED=<seed>; the order of events between processes still varies.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { connect, type TwinstoreClient, TwinstoreError, type WriteRow } from '../../src/client/index.ts'
import { type ExportRow, readExportRows } from '../support/export-rows.ts'
import { seededRandom, testSeed } from '../support/random.ts'
import { until } from '../support/redis/until.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const WRITERS = 4
const ACCOUNTS = 40
const WRITES_MS = 60_000
const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
/** Small batches and a short interval, so that kills often meet the archiver at work. */
const FLAGS = ['--archive-interval', '30ms', '--archive-batch-rows', '50', '--log-level', 'fatal']

export interface ServerKillSettings {
  readonly kills: number
  /** Longest life of a server between two kills. */
  readonly lifeMsMax: number
  /** A life lasts at least until so many rows were acknowledged in it, so that a slow machine proves something too. */
  readonly rowsPerLife: number
  /** Longest time into a start at which it is killed. */
  readonly startMsMax: number
  /** Where the stores are; asked before each start. */
  flags(): readonly string[]
  /** What else must hold in the end. */
  afterwards?(): Promise<void>
}

interface Attempt {
  readonly account: bigint
  readonly eventMicros: bigint
  /** Unique per row ever sent, and stored in it: what tells one row from another in the history. */
  readonly attempt: bigint
}

export async function serverKillTest(settings: ServerKillSettings): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'twinstore-kill-'))
  const running: { server?: ServerProcess } = {}
  try {
    await killAndCheck(settings, dataDir, running)
  } finally {
    await running.server?.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function killAndCheck(
  settings: ServerKillSettings,
  dataDir: string,
  running: { server?: ServerProcess },
): Promise<void> {
  const { kills, lifeMsMax, rowsPerLife, startMsMax } = settings
  const startServer = async (onSpawn?: (child: ChildProcess) => void): Promise<ServerProcess> => {
    const flags = [...FLAGS, ...settings.flags()]
    return startServerProcess({
      dataDir,
      definitions: DEFINITIONS,
      flags,
      ...(onSpawn === undefined ? {} : { onSpawn }),
    })
  }
  const killDuringStart = async (afterMs: number): Promise<void> => {
    const killLater = (child: ChildProcess) => void sleep(afterMs).then(() => child.kill('SIGKILL'))
    const started = await startServer(killLater).catch(() => undefined)
    await started?.kill()
  }
  const seed = testSeed()
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  const sent = new Map<bigint, Attempt>()
  const acknowledged = new Map<bigint, bigint>()
  let client: TwinstoreClient
  let stopping = false
  let nextAttempt = 0n

  async function writer(): Promise<void> {
    while (!stopping) {
      const rows = Array.from({ length: 1 + Math.floor(random() * 5) }, () => newAttempt(random, ++nextAttempt))
      for (const row of rows) sent.set(row.attempt, row)
      const ack = random() < 0.2 ? ('BOTH' as const) : ('ONLINE' as const)
      await writeUntilAcknowledged(rows, ack)
    }
  }

  /** The same write id until a server answers: what a client does that must not lose its rows and must not double them. */
  async function writeUntilAcknowledged(rows: readonly Attempt[], ack: 'ONLINE' | 'BOTH'): Promise<void> {
    const writeId = `w-${rows[0]!.attempt}`
    for (;;) {
      try {
        const outcomes = await client.writeFeatures('ledger', rows.map(toRow), { writeId, ack, deadlineMs: 5000 })
        for (const [index, row] of rows.entries()) acknowledged.set(row.attempt, outcomes[index]!.position)
        return
      } catch (error) {
        if (!(error instanceof TwinstoreError) || !RETRYABLE.has(error.code)) throw error
        await sleep(10)
      }
    }
  }

  running.server = await startServer()
  client = connect(running.server.address, { attemptsMax: 1 })
  const writers = Array.from({ length: WRITERS }, () => writer())
  const failed = Promise.all(writers)
  for (let kill = 0; kill < kills; kill++) {
    const wanted = acknowledged.size + rowsPerLife
    await Promise.race([sleep(20 + random() * lifeMsMax), failed])
    await until('writes of this life', WRITES_MS, () => acknowledged.size >= wanted)
    await running.server.kill()
    client.close()
    if (random() < 0.25) await killDuringStart(random() * startMsMax)
    running.server = await startServer()
    client = connect(running.server.address, { attemptsMax: 1 })
  }
  stopping = true
  await failed
  await check(client, sent, acknowledged)
  client.close()
  expect(acknowledged.size, 'rows acknowledged: too few to prove anything').toBeGreaterThan(kills)
  expect(await running.server.stop()).toBe(0)
  await settings.afterwards?.()
  console.log(`${kills} kills, ${acknowledged.size} rows acknowledged of ${sent.size} sent`)
}

/** A dead server, and the client of one that was closed with it. */
const RETRYABLE = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL', 'FAILED_PRECONDITION'])

/** Event times from a small range, so that ties and late rows are common. */
function newAttempt(random: () => number, attempt: bigint): Attempt {
  const eventMicros = BigInt(Date.UTC(2026, 0, 1) * 1000) + BigInt(Math.floor(random() * 200)) * 3_600_000_000n
  return { account: BigInt(Math.floor(random() * ACCOUNTS)), eventMicros, attempt }
}

function toRow({ account, eventMicros, attempt }: Attempt): WriteRow {
  return { account, attempt, amount: Number(attempt) / 2, event_timestamp: eventMicros }
}

async function check(
  client: TwinstoreClient,
  sent: ReadonlyMap<bigint, Attempt>,
  acknowledged: ReadonlyMap<bigint, bigint>,
): Promise<void> {
  const columns = ['account', 'attempt', 'event_timestamp', 'write_position']
  const history = await readExportRows(client, { view: 'ledger', columns })
  const byAttempt = new Map<bigint, ExportRow>()
  const doubled: bigint[] = []
  for (const row of history) {
    const attempt = row['attempt'] as bigint
    if (byAttempt.has(attempt)) doubled.push(attempt)
    byAttempt.set(attempt, row)
  }
  expect(doubled, 'rows that are in the history twice').toEqual([])
  expect(
    [...acknowledged.keys()].filter((attempt) => !byAttempt.has(attempt)),
    'acknowledged rows that are lost',
  ).toEqual([])
  const wrongPosition = [...acknowledged].filter(
    ([attempt, position]) => byAttempt.get(attempt)!['write_position'] !== position,
  )
  expect(wrongPosition, 'rows whose position is not the acknowledged one').toEqual([])
  expect(
    [...byAttempt.keys()].filter((attempt) => !sent.has(attempt)),
    'rows nobody sent',
  ).toEqual([])
  await checkOnline(client, history)
}

async function checkOnline(client: ReturnType<typeof connect>, history: readonly ExportRow[]): Promise<void> {
  const greatest = new Map<bigint, ExportRow>()
  for (const row of history) {
    const known = greatest.get(row['account'] as bigint)
    if (known === undefined || isNewer(row, known)) greatest.set(row['account'] as bigint, row)
  }
  const accounts = [...greatest.keys()]
  const answer = await client.getFeatures({
    service: 'balances',
    entities: accounts.map((account) => ({ account })),
    consistency: 'FRESH',
  })
  const online = answer.rows.map((row) => row.values['ledger__attempt'])
  expect(online, 'online values against the greatest versions of the history').toEqual(
    accounts.map((account) => greatest.get(account)!['attempt']),
  )
}

function isNewer(a: ExportRow, b: ExportRow): boolean {
  const [eventA, eventB] = [a['event_timestamp'] as bigint, b['event_timestamp'] as bigint]
  return eventA === eventB ? (a['write_position'] as bigint) > (b['write_position'] as bigint) : eventA > eventB
}
