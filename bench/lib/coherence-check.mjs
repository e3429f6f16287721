/**
 * Watches, beside a load, whether reads through two instances are as new as they must be (G3 of docs/ARCHITECTURE.md).
 *
 * A row with a number that grows is written through one instance after both have it in their caches. From the acknowledgement on
 * - a CACHED read through the same instance and a FRESH read through the other one have that number or a greater one, at once;
 * - a CACHED read through the other instance has it within `SEEN_WITHIN_MS`, and none is older than one before it.
 * Anything else is thrown.
 */
const VIEW = 'airport_status'
const FEATURE = 'expected_delay_minutes'
const AIRPORTS = 20
const PAUSE_MS = 10
/** What says that it got lost, rather than being late on a busy machine. Without a failure it takes milliseconds. */
const SEEN_WITHIN_MS = 5000
const READ_ROWS = 100
const QUIET_WITHIN_MS = 5000

/** `stop` resolves to how many reads were looked at, how many writes, and how long each took to be seen elsewhere, milliseconds. */
export function watchCoherence(clients) {
  const delaysMs = []
  let reads = 0
  let running = true

  async function read(client, airport, consistency) {
    const { rows } = await client.getFeatures({
      features: [`${VIEW}:${FEATURE}`],
      entities: [{ airport }],
      consistency,
    })
    reads++
    return rows[0].values[`${VIEW}__${FEATURE}`] ?? 0
  }

  async function step(turn) {
    const [here, there] = turn % 2 === 0 ? clients : clients.toReversed()
    const airport = `W${turn % AIRPORTS}`
    const number = Date.now() * 1000 + (turn % 1000)
    await read(here, airport, 'CACHED')
    let last = await read(there, airport, 'CACHED')
    await here.writeFeatures(VIEW, [{ airport, closed: false, [FEATURE]: number }])
    const acknowledgedMs = performance.now()
    const [own, fresh] = await Promise.all([read(here, airport, 'CACHED'), read(there, airport, 'FRESH')])
    if (own < number) throw new Error(`a CACHED read where ${number} was written gave ${own}`)
    if (fresh < number) throw new Error(`a FRESH read elsewhere gave ${fresh} after ${number} was acknowledged`)
    for (;;) {
      const seen = await read(there, airport, 'CACHED')
      const delayMs = performance.now() - acknowledgedMs
      if (seen < last) throw new Error(`a CACHED read gave ${seen} after an earlier one had given ${last}`)
      last = seen
      if (seen >= number) return delaysMs.push(delayMs)
      if (delayMs > SEEN_WITHIN_MS) throw new Error(`${number} was not seen elsewhere within ${SEEN_WITHIN_MS} ms`)
    }
  }

  async function run() {
    for (let turn = 0; running; turn++) {
      await step(turn)
      await pause(PAUSE_MS)
    }
  }
  const ran = run()
  // `stop` is where it is heard of; until then it must not end this process.
  ran.catch(() => {})
  return {
    async stop() {
      running = false
      await ran
      return { reads, writes: delaysMs.length, delaysMs }
    },
  }
}

/**
 * Users' rows as an instance has them in its cache must be as the store has them, to the byte, once invalidations have arrived. Each of the two
 * instances is asked for half of the users, and the other one for what the store has: a FRESH read puts right the cache it goes through.
 */
export async function refuseStaleCaches(clients, users) {
  for (let first = 0; first < users; first += READ_ROWS) {
    const entities = Array.from({ length: Math.min(READ_ROWS, users - first) }, (_, offset) => ({
      user: `user-${first + offset}`,
    }))
    const [cached, fresh] = (first / READ_ROWS) % 2 === 0 ? clients : clients.toReversed()
    await untilCoherent(cached, fresh, entities)
  }
}

async function untilCoherent(cached, fresh, entities) {
  const expected = await rowsOf(fresh, entities, 'FRESH')
  const endMs = performance.now() + QUIET_WITHIN_MS
  for (;;) {
    const rows = await rowsOf(cached, entities, 'CACHED')
    const stale = rows.findIndex((row, index) => row !== expected[index])
    if (stale < 0) return
    if (performance.now() > endMs) {
      throw new Error(
        `a cache has ${entities[stale].user} otherwise than the store: ${rows[stale]}, not ${expected[stale]}`,
      )
    }
  }
}

/** Values with their statuses and event timestamps. */
async function rowsOf(client, entities, consistency) {
  const { rows } = await client.getFeatures({ service: 'wide_row', entities, consistency })
  return rows.map((row) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
