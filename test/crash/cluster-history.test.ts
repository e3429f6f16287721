/**
 * Three instances over a Redis Cluster of six nodes and one offline folder, under concurrent writers and readers, while a nemesis
 * kills, hangs and cuts what can be killed, hung and cut. What the clients saw is checked afterwards against G1, G2 and G3
 * (`test/support/history/check.ts`), as Jepsen does.
 *
 * G1 is stated for one failed node at a time and `redis-wait-replicas` 1: the nemesis waits for health between faults.
 * Repeat a run with TEST_SEED=<seed>; the order of events between processes still varies. HISTORY_SECONDS lengthens it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Transport } from '../../src/api/grpc/server.ts'
import { readExportRows } from '../support/export-rows.ts'
import { check } from '../support/history/check.ts'
import { faultTable } from '../support/history/fault-table.ts'
import type { History, StoredRow } from '../support/history/history.ts'
import { Instance } from '../support/history/instances.ts'
import { CLUSTER_FAULTS, INSTANCE_FAULTS, inject, type World } from '../support/history/nemesis.ts'
import { Recorder } from '../support/history/recorder.ts'
import { Workload } from '../support/history/workload.ts'
import { seededRandom, testSeed } from '../support/random.ts'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'

const RUN_MS = 1000 * Number(process.env['HISTORY_SECONDS'] ?? 70)
const BOUNDS: History['bounds'] = { cacheTtlMs: 5000, staleMs: 20_000, convergedMs: 1000, settleMs: 3000 }
/** Between faults there must be time in which nothing is wrong and a write has to be seen everywhere. */
const CALM_MS = BOUNDS.settleMs + 2 * BOUNDS.convergedMs
/** Small times, so that much happens in a run; an outbox that an outage of some seconds fills. */
const FLAGS = [
  `--cache-ttl ${BOUNDS.cacheTtlMs}ms --cache-stale-if-error ${BOUNDS.staleMs}ms --fetch-timeout 1s`,
  '--redis-wait-replicas 1 --redis-wait-timeout 1s --redis-write-timeout 4s',
  '--redis-heartbeat 100ms --redis-silence-max 700ms --redis-topology-interval 500ms --redis-connect-timeout 10s',
  '--outbox-rows-max 1600 --write-rows-max 100 --archive-interval 100ms --archive-lease 1500ms',
  '--archive-retry-min 50ms --archive-retry-max 500ms --log-level fatal',
].flatMap((line) => line.split(' '))

const HEDGED = ['--hedge-after', '5ms', '--hedge-budget', '100', '--replica-lag-max', '3s']
/** The table is compacted and its twin compared with it all the time, by whichever instance has its home shard. */
const UPKEEP = [
  '--compact-interval 5s --compact-files-min 4 --checkpoint-every 10',
  '--parity-interval 5s --parity-parts 1 --schedule-look-interval 200ms --schedule-retry-min 1s',
].flatMap((line) => line.split(' '))

const disposals: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose()
})

// In one fleet, as while it is changed over from one transport to the other, instance by instance.
test.each([
  { name: 'reads from primaries', flags: [], transports: ['lean', 'grpc-js', 'lean'] },
  {
    name: 'reads hedged to replicas, upkeep and parity beside',
    flags: [...HEDGED, ...UPKEEP],
    transports: ['grpc-js', 'lean', 'grpc-js'],
  },
] as const)(
  'three instances over a Cluster keep G1, G2 and G3: $name, over $transports',
  { timeout: RUN_MS + 240_000 },
  async ({ name, flags, transports }) => {
    const seed = testSeed()
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const recorder = new Recorder()
    const { cluster, instances, offlineDir } = await startAll(flags, transports)
    const workload = new Workload(instances, recorder, random)
    try {
      await runNemesis({ cluster, instances, offlineDir, workload, recorder, random })
    } finally {
      await workload.stop()
      console.log(messagesSeen(recorder))
    }
    // A drain ends what is still under way, so that nothing moves while the stores are compared.
    expect(await Promise.all(instances.map((instance) => instance.stop()))).toEqual([0, 0, 0])
    for (const instance of instances) await instance.start()
    await expectParity(instances[0]!)
    const history: History = {
      ...recorder,
      offline: await offlineRows(instances[0]!),
      final: await workload.readAll(),
      bounds: BOUNDS,
    }
    console.log(`${name}\n${summary(history)}\n${faultTable(history, recorder.operations)}`)
    const violations = check(history)
    for (const { rule, problem, history: text } of violations) console.log(`${rule}: ${problem}\n${text}\n`)
    expect(violations.map(({ rule, problem }) => `${rule}: ${problem}`)).toEqual([])
    expect(recorder.unexpected.slice(0, 20), 'failures that no client should see').toEqual([])
    expectEnough(history)
  },
)

async function startAll(
  flags: readonly string[],
  transports: readonly Transport[],
): Promise<{ cluster: RedisCluster; instances: Instance[]; offlineDir: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-history-'))
  disposals.push(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = await startCluster()
  disposals.push(() => cluster.dispose())
  const offlineDir = join(folder, 'offline')
  mkdirSync(offlineDir)
  const stores = ['--online', cluster.url, '--offline', `file:${offlineDir}`]
  const instances = transports.map((transport, index) => {
    const own = ['--transport', transport]
    return new Instance('ABC'[index]!, folder, [...stores, ...FLAGS, ...flags, ...own])
  })
  for (const instance of instances) disposals.push(() => instance.dispose())
  await Promise.all(instances.map((instance) => instance.start()))
  return { cluster, instances, offlineDir }
}

/** Every kind of fault in a random order, then again until the time is over; calm at the ends and between rounds. */
async function runNemesis(world: World): Promise<void> {
  const untilMs = performance.now() + RUN_MS
  for (let round = 1; round === 1 || performance.now() < untilMs; round++) {
    await pause(CALM_MS)
    for (const [kind, fault] of shuffled(Object.entries({ ...INSTANCE_FAULTS, ...CLUSTER_FAULTS }), world.random)) {
      if (round > 1 && performance.now() > untilMs) break
      await inject(kind, fault, world)
      await pause(500 * world.random())
    }
  }
  await pause(CALM_MS)
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

async function offlineRows({ life }: Instance): Promise<StoredRow[]> {
  const columns = ['account', 'attempt', 'event_timestamp', 'write_position']
  const rows = await readExportRows(life.client, { view: 'ledger', columns })
  return rows.map((row) => ({
    key: Number(row['account']),
    attempt: row['attempt'] as bigint,
    eventMicros: row['event_timestamp'] as bigint,
    position: row['write_position'] as bigint,
  }))
}

/** The product's own comparison of the two stores has nothing to say, of now or of any moment at which it looked. */
async function expectParity({ life: { client } }: Instance): Promise<void> {
  const [result] = await client.parity({ views: ['ledger'] })
  expect(result, 'parity in the end').toMatchObject({ faults: 0, problems: [], counts: { unchecked: 0 } })
  expect(result!.keys).toBeGreaterThan(0)
  const { parity } = await client.status()
  expect(parity.find(({ view }) => view === 'ledger')?.openFaults, 'faults that a comparison found on the way').toBe(0)
}

/** What clients were told, the most frequent first. */
function messagesSeen({ operations, messages }: Recorder): string {
  const counted = [...messages].sort(([, a], [, b]) => b - a).slice(0, 25)
  return [`${operations.length} calls`, ...counted.map(([message, count]) => `${count} × ${message}`)].join('\n')
}

function summary({ writes, reads, faults }: History): string {
  const fates = (fate: string): number => writes.filter((write) => write.fate === fate).length
  const cached = reads.filter((read) => read.consistency === 'CACHED').length
  return (
    `${fates('acknowledged')} rows acknowledged, ${fates('unknown')} of unknown fate, ${fates('refused')} refused; ` +
    `${cached} CACHED reads of a key, ${reads.length - cached} FRESH; ${faults.length} faults`
  )
}

/** A run that did little proves little. */
function expectEnough({ writes, reads, faults }: History): void {
  const seconds = RUN_MS / 1000
  expect(writes.filter((write) => write.acks.length > 0).length, 'rows acknowledged').toBeGreaterThan(20 * seconds)
  expect(writes.filter((write) => write.acks.length > 1).length, 'rows sent again after that').toBeGreaterThan(seconds)
  for (const consistency of ['CACHED', 'FRESH'] as const) {
    const count = reads.filter((read) => read.consistency === consistency && read.attempt !== undefined).length
    expect(count, `${consistency} reads that saw a row`).toBeGreaterThan(100 * seconds)
  }
  const happened = new Set(faults.map((fault) => fault.kind))
  expect([...happened].sort()).toEqual(Object.keys({ ...INSTANCE_FAULTS, ...CLUSTER_FAULTS }).sort())
}
