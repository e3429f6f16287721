/**
 * How long WriteFeatures takes until it is acknowledged (ONLINE), against bare LMDB that makes the same bytes as durable.
 *
 * Rows have about 2 KB. The baseline puts every row twice, as the store does (value and outbox entry), in one transaction per
 * write; it has no versions, no write ids and no network. The archiver works beside the writes, as it always does; a
 * round ends when it has moved everything, so that the baseline has the machine to itself just as the writes had.
 */
import { randomUUID } from 'node:crypto'
import { open } from 'lmdb'
import { connect } from '../../dist/client/index.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { lengthField } from '../../dist/lib/wire.js'
import { archived } from '../lib/archived.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import { wideRow } from '../lib/feature-data.mjs'
import { compared, PERCENTILES } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'WriteFeatures of 2 KB rows, acknowledged ONLINE'
export const suite = 'long'
export const figureNames = ['machine', 'process'].flatMap((durability) =>
  ['1-row.', '100-rows.'].flatMap((of) => compared(`${durability}.${of}`, 'lmdb', [...PERCENTILES, 'rows_per_s'])),
)
const PATH = '/twinstore.v1.Serving/WriteFeatures'
const SETTINGS = {
  full: { rounds: 3, seconds: 0.6, warmSeconds: 0.3 },
  quick: { rounds: 1, seconds: 0.1, warmSeconds: 0.05 },
}
/** Rounds wait for the archiver. */
const QUICK_FLAGS = ['--archive-interval', '50ms']
const DURABILITIES = ['machine', 'process']
const SIZES = [
  { rowCount: 1, label: '1 row', figures: '1-row' },
  { rowCount: 100, label: '100 rows', figures: '100-rows' },
]
/** Different requests that take turns. */
const REQUESTS = 20
const WRITE_ID_FIELD = 5
/** The baseline's outbox entries are used again after so many, as trimmed ones are. */
const OUTBOX_ENTRIES = 20_000

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  const figures = {}
  const rows = []
  for (const durability of DURABILITIES) {
    await withResources(async (defer) => {
      const store = await startSubject(defer, durability, quick)
      const bare = openBaseline(defer, durability)
      for (const { rowCount, ...names } of SIZES) {
        const bodies = await store.bodies(rowCount)
        const contenders = (seconds) => ({
          twinstore: () => round(store.sender(bodies), rowCount, seconds, store.settle),
          lmdb: () => round(bare.sender(rowCount), rowCount, seconds, () => {}),
        })
        await takeTurns(contenders(settings.warmSeconds), 1)
        const rounds = await takeTurns(contenders(settings.seconds), settings.rounds)
        const comparison = compare(rounds, 'twinstore', 'lmdb')
        rows.push(...comparison.rows(`${durability}, ${names.label}`, COLUMNS))
        Object.assign(figures, comparison.figures(`${durability}.${names.figures}.`))
      }
    })
  }
  return { settings, figures, head: HEAD, rows }
}

async function startSubject(defer, durability, quick) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: ['--sync-on-start', 'never', '--lmdb-durability', durability, ...(quick ? QUICK_FLAGS : [])],
  })
  const client = connect(server.address)
  const raw = rawClient(defer, server.address)
  defer(() => client.close())
  return {
    /** Requests without their write id: a field that is appended to each one sent. */
    async bodies(rowCount) {
      const { views } = await client.describe()
      const view = views.find(({ name }) => name === 'wide')
      return Array.from({ length: REQUESTS }, (_, request) => {
        const rows = Array.from({ length: rowCount }, (_, offset) => wideRow(request * rowCount + offset))
        return encodeWrite(view, rows, { writeId: '' })
      })
    },
    sender: (bodies) => (turn, done) => {
      const writeId = lengthField(WRITE_ID_FIELD, Buffer.from(randomUUID()))
      raw.send(PATH, Buffer.concat([bodies[turn % bodies.length], writeId]), done)
    },
    settle: () => archived(client),
  }
}

/** Bare LMDB with the flushing of `durability`, in this process. */
function openBaseline(defer, durability) {
  const path = temporaryFolder(defer)
  const options = { encoding: 'binary', noSync: durability === 'process', overlappingSync: false }
  const root = open({ path, noSubdir: false, mapSize: 2 ** 34, ...options })
  defer(() => root.close())
  const values = root.openDB('values', { encoding: 'binary' })
  const outbox = root.openDB('outbox', { encoding: 'binary' })
  // As long as an encoded row is: 50 doubles of 10 bytes with their framing, the text, the header.
  const row = Buffer.alloc(encodedRowBytes(), 1)
  let position = 0
  return {
    sender: (rowCount) => (_turn, done) => {
      const put = () => {
        for (let each = 0; each < rowCount; each++) {
          position++
          values.put(`wide/user-${position % (REQUESTS * rowCount)}`, row)
          outbox.put(`outbox/${position % OUTBOX_ENTRIES}`, row)
        }
      }
      root.transaction(put).then(() => done(null), done)
    },
  }
}

function encodedRowBytes() {
  const { text } = wideRow(0)
  return 50 * 10 + text.length + 60
}

async function round(send, rowCount, seconds, settle) {
  const { calls, calls_per_s, ...latency } = await closedLoop({ send, concurrency: 1, seconds })
  await settle()
  return { ...latency, rows_per_s: calls_per_s * rowCount }
}

const HEAD = ['durability, write', 'store', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'rows/s']
const COLUMNS = ['p50_ms', 'p90_ms', 'p99_ms', 'p999_ms', 'rows_per_s']
