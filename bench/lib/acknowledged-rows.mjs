/**
 * Prepared writes whose rows can be told apart, and the proof that not one of them was lost once it was acknowledged.
 *
 * Every request writes the same `rowCount` users as some others do, with a number in `f0` that is its own. Sent any number of times,
 * each row must be in the history as often as it was acknowledged, and each user's online value must be the newest of the history.
 */
import { encodeWrite } from '../../dist/client/writes.js'
import { wideRow } from './feature-data.mjs'

/** Requests for so many different batches of users take turns; of each batch there are several, with other numbers. */
const VARIANTS = 3

export function acknowledgedRows({ views }, { batches, rowCount, ack }) {
  const view = views.find(({ name }) => name === 'wide')
  const numbered = Array.from({ length: batches * VARIANTS }, (_, number) => {
    const first = (number % batches) * rowCount
    return Array.from({ length: rowCount }, (_, offset) => ({ ...wideRow(first + offset), f0: number }))
  })
  const sent = new Array(numbered.length).fill(0)
  return {
    requests: numbered.map((rows) => encodeWrite(view, rows, { writeId: '', ack })),
    /** So many calls were acknowledged, with the requests in turn from the first. */
    note(calls) {
      for (let number = 0; number < sent.length; number++) {
        sent[number] += Math.floor(calls / sent.length) + (number < calls % sent.length ? 1 : 0)
      }
    },
    /** By user and number. */
    counts() {
      const counts = new Map()
      for (const [number, rows] of numbered.entries()) {
        if (sent[number] > 0) for (const { user } of rows) counts.set(`${user},${number}`, sent[number])
      }
      return counts
    },
  }
}

/** `lists`: what several sets of requests with different numbers or users were acknowledged for. Resolves to how many rows that are. */
export async function refuseLostRows(client, lists) {
  const expected = new Map()
  for (const list of lists) {
    for (const [row, count] of list.counts()) expected.set(row, (expected.get(row) ?? 0) + count)
  }
  const found = new Map()
  for (const row of await exported(client, {})) found.set(row, (found.get(row) ?? 0) + 1)
  const differing = [...new Set([...expected.keys(), ...found.keys()])].filter(
    (row) => expected.get(row) !== found.get(row),
  )
  if (differing.length > 0) {
    const [row] = differing
    throw new Error(
      `${differing.length} rows are not in the history as often as they were acknowledged, such as user,number ${row}: acknowledged ${expected.get(row) ?? 0} times, there ${found.get(row) ?? 0} times`,
    )
  }
  await refuseOldOnline(client)
  return [...expected.values()].reduce((sum, count) => sum + count, 0)
}

async function refuseOldOnline(client) {
  const newest = (await exported(client, { latestOnly: true })).map((row) => row.split(','))
  const entities = newest.map(([user]) => ({ user }))
  const options = { service: 'wide_row', consistency: 'FRESH', format: 'values' }
  for (let first = 0; first < entities.length; first += READ_ROWS) {
    const { rows } = await client.getFeatures({ ...options, entities: entities.slice(first, first + READ_ROWS) })
    for (const [offset, { values }] of rows.entries()) {
      const [user, number] = newest[first + offset]
      if (values.wide__f0 !== Number(number)) {
        throw new Error(`online ${user} has f0 ${values.wide__f0}, the newest row of the history ${number}`)
      }
    }
  }
}

const READ_ROWS = 500

/** `user,f0` of each row. */
async function exported(client, options) {
  const history = await client.exportFeatures({ view: 'wide', format: 'csv', columns: ['user', 'f0'], ...options })
  const parts = []
  for await (const part of history) parts.push(part)
  const [head, ...lines] = Buffer.concat(parts).toString().trimEnd().split('\n')
  const columns = head.split(',')
  const [user, number] = [columns.indexOf('user'), columns.indexOf('f0')]
  return lines.map((line) => line.split(',')).map((cells) => `${cells[user]},${Number(cells[number])}`)
}
