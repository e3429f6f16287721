/**
 * Writers and readers that go on until they are stopped, at their own pace. Every row has a number of its own, so that what
 * became of each can be told afterwards. A refused batch is sent again under its write id until it is accepted: some shards
 * may have had room for their rows.
 */
import { randomUUID } from 'node:crypto'
import { build } from 'hdr-histogram-js'
import { TwinstoreError } from '../../dist/client/index.js'

const WRITE_LANES = 4
const READ_LANES = 2
const ROWS = 100
/** 4000 rows/s are asked for while there is room. */
const WRITE_PAUSE_MS = 100
/** 400 requests/s while there is none: clients that do not back off. */
const REFUSED_PAUSE_MS = 10
const READ_PAUSE_MS = 5
const USERS = 1000
/** Makes a row of 2 KB. */
const TEXT = 'x'.repeat(1900)
const NANOS_PER_MS = 1e6

/**
 * `accepted` has the numbers of the acknowledged rows. `stop` resolves when the last batch is accepted, and rejects if anything
 * failed that was not a full outbox.
 */
export function numberedLoad(client) {
  const accepted = new Set()
  let running = true
  let last = 0
  let phase = newPhase()

  async function write() {
    const numbers = Array.from({ length: ROWS }, () => ++last)
    const rows = numbers.map((number) => ({ user: `load-${number % USERS}`, f0: number, text: TEXT }))
    const writeId = randomUUID()
    while (!(await isWritten(rows, writeId))) await pause(REFUSED_PAUSE_MS)
    for (const number of numbers) accepted.add(number)
    phase.acceptedRows += ROWS
    await pause(WRITE_PAUSE_MS)
  }

  async function isWritten(rows, writeId) {
    try {
      await client.writeFeatures('wide', rows, { writeId })
      return true
    } catch (error) {
      if (!(error instanceof TwinstoreError && error.code === 'RESOURCE_EXHAUSTED')) throw error
      phase.refusals++
      return false
    }
  }

  /** CACHED and FRESH in turn: from L1, and from Redis beside the writes. */
  async function read(turn) {
    const entities = Array.from({ length: 10 }, (_, index) => ({ user: `load-${(turn * 10 + index) % USERS}` }))
    const sentMs = performance.now()
    await client.getFeatures({
      service: 'wide_row',
      entities,
      consistency: turn % 2 === 0 ? 'CACHED' : 'FRESH',
      format: 'values',
    })
    phase.latency.recordValue(Math.round((performance.now() - sentMs) * NANOS_PER_MS))
    await pause(READ_PAUSE_MS)
  }

  async function lane(step) {
    for (let turn = 0; running; turn++) await step(turn)
  }
  const lanes = [
    ...Array.from({ length: WRITE_LANES }, () => lane(write)),
    ...Array.from({ length: READ_LANES }, () => lane(read)),
  ]
  const all = Promise.all(lanes)
  // `stop` is where it is heard of; until then it must not end this process.
  all.catch(() => {})
  return {
    accepted,
    beginPhase() {
      phase = newPhase()
    },
    endPhase: () => ({
      accepted_rows: phase.acceptedRows,
      refusals: phase.refusals,
      read_p50_ms: phase.latency.getValueAtPercentile(50) / NANOS_PER_MS,
      read_p99_ms: phase.latency.getValueAtPercentile(99) / NANOS_PER_MS,
    }),
    async stop() {
      running = false
      await all
    },
  }
}

function newPhase() {
  return { acceptedRows: 0, refusals: 0, latency: build({ numberOfSignificantValueDigits: 3 }) }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
