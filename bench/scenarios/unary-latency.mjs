/**
 * How long a client waits for GetFeatures answered from L1, against a bare grpc-js server that answers with the same bytes.
 *
 * The client is this process, each server one of its own. Requests are bytes made beforehand; answers are not decoded, in either
 * case. Rows stay in L1 throughout (a TTL of an hour), and the run fails if one had to be read from the store. Requests
 * per second of 64 lanes are bound by this one client; the server's processor time per call says what it could do.
 */
import { connect } from '../../dist/client/index.js'
import { decodeMessage } from '../../dist/client/protocol.js'
import { archived } from '../lib/archived.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import {
  PAIRS,
  pairRequest,
  usersRequest,
  writeAirportStatus,
  writeDailyRows,
  writeWideRows,
} from '../lib/feature-data.mjs'
import { compared, PERCENTILES } from '../lib/figure-names.mjs'
import { startStaticServer, startTwinstore } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'GetFeatures answered from L1'
export const figureNames = ['', '4-calls.', '64-calls.', '1-row.', '100-rows.'].flatMap((of) =>
  compared(of, 'static', [...PERCENTILES, 'calls_per_s', 'server_cpu_us']),
)
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us/
const PATH = '/twinstore.v1.Serving/GetFeatures'
const SETTINGS = {
  full: { rounds: 5, seconds: 2, warmSeconds: 2 },
  quick: { rounds: 1, seconds: 0.1, warmSeconds: 0.05 },
}

/** Rows are written, which takes less time than a sync of the flights. */
const QUICK_FLAGS = ['--sync-on-start', 'never', '--archive-interval', '50ms']

/** `figures` is what the case's figures are called; the first is what the bar is for. */
const CASES = [
  { figures: '', label: 'one pair, one call at a time', requests: pairs, concurrency: 1 },
  { figures: '4-calls.', label: 'one pair, 4 calls at a time', requests: pairs, concurrency: 4 },
  { figures: '64-calls.', label: 'one pair, 64 calls at a time', requests: pairs, concurrency: 64 },
  { figures: '1-row.', label: '1 row of 2 KB, one call at a time', requests: users(1), concurrency: 1 },
  { figures: '100-rows.', label: '100 rows of 2 KB, one call at a time', requests: users(100), concurrency: 1 },
]

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const flags = ['--cache-ttl', '1h', ...(quick ? QUICK_FLAGS : [])]
    const dataDir = temporaryFolder(defer)
    const server = await startTwinstore(defer, { definitions: 'definitions/serving.ts', dataDir, flags })
    const bare = await startStaticServer(defer)
    const client = connect(server.address)
    defer(() => client.close())
    await fill(client, quick)
    const subject = { process: server, client: rawClient(defer, server.address) }
    const baseline = { process: bare, client: rawClient(defer, bare.address) }
    const rows = []
    const figures = {}
    for (const each of CASES) {
      const rounds = await runCase(each, { subject, baseline, status: () => client.status(), settings })
      const comparison = compare(rounds, 'twinstore', 'static')
      rows.push(...comparison.rows(each.label, COLUMNS))
      Object.assign(figures, comparison.figures(each.figures))
    }
    return { settings, figures, head: HEAD, rows }
  })
}

async function fill(client, quick) {
  if (quick) await writeDailyRows(client)
  await writeAirportStatus(client)
  await writeWideRows(client)
  await archived(client)
}

async function runCase({ label, requests, concurrency }, { subject, baseline, status, settings }) {
  const { list, answer } = await prepared(subject.client, requests, label)
  await baseline.client.call('/bench.Static/Prepare', answer)
  const contender = (side, seconds) => async () => {
    const cpuSeconds = side.process.cpuSeconds()
    const send = (turn, done) => side.client.send(PATH, list[turn % list.length], done)
    const { calls, ...figures } = await closedLoop({ send, concurrency, seconds })
    return { ...figures, server_cpu_us: ((side.process.cpuSeconds() - cpuSeconds) / calls) * 1e6 }
  }
  const contenders = (seconds) => ({ twinstore: contender(subject, seconds), static: contender(baseline, seconds) })
  await takeTurns(contenders(settings.warmSeconds), 1)
  const { misses } = (await status()).cache
  const rounds = await takeTurns(contenders(settings.seconds), settings.rounds)
  const missed = (await status()).cache.misses - misses
  if (missed > 0) throw new Error(`${label}: ${missed} rows were not in L1, so this measured the store too`)
  return rounds
}

/** Requests whose answers are known to be whole, with their layout left out as a client does after its first answer. */
async function prepared(client, requests, label) {
  const first = decodeMessage('GetFeaturesResponse', await client.call(PATH, requests()[0]))
  const list = requests(first.layoutId)
  let answer
  for (const request of list) {
    answer = await client.call(PATH, request)
    const { vectors } = decodeMessage('GetFeaturesResponse', answer)
    if (vectors.some(({ statuses }) => statuses.length > 0)) throw new Error(`${label}: not every value is PRESENT`)
  }
  return { list, answer }
}

function pairs(knownLayout) {
  return PAIRS.map((pair) => pairRequest(pair, knownLayout))
}

function users(rowCount) {
  return (knownLayout) => Array.from({ length: 20 }, (_, index) => usersRequest(index * 100, rowCount, knownLayout))
}

const HEAD = ['case', 'server', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'calls/s', 'server CPU µs']
const COLUMNS = ['p50_ms', 'p90_ms', 'p99_ms', 'p999_ms', 'calls_per_s', 'server_cpu_us']
