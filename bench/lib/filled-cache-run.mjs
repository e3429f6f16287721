/**
 * A process whose L1 is filled by requests, as a server's is: keys are cut out of requests, rows are pieces of what a socket read.
 *
 *     node --expose-gc filled-cache-run.mjs '{ "rows": 50000, "rowBytes": 2048, "turnovers": 3 }'
 *
 * Sends its parent what the cached rows keep alive, resident and in V8's own counting: first when L1 has just been filled, then when
 * it is at its limit and `turnovers` times as many rows went through it; and the processor time of a row in both. Memory is
 * counted from a process that has served as many rows through an L1 of a thousand and has an empty one: what V8 and the allocator keep
 * for passing work, and the 4.8 MiB of the table of known keys, do not depend on what is cached and are not in it. Answers go into one
 * buffer, as those of the transport do.
 */
import { lengthField } from '../../dist/lib/wire.js'
import { definitionsOf, encodedRow, featureOf, openServing, viewOf } from './serving-alone.mjs'

const BATCH_ROWS = 100
const SMALL_ROWS = 1000
/** Node reads sockets in pieces of at most this. */
const READ_BYTES = 64 * 1024
/** What Redis sends around a row. */
const REPLY_HEAD_BYTES = 9

const { rows, rowBytes, turnovers } = JSON.parse(process.argv[2])
const VIEW = viewOf('user_text', ['user'], [featureOf('text', 'string')])
const SERVICE = {
  name: 'text',
  members: [{ kind: 'view', use: { view: VIEW.name, as: VIEW.name, joinKeyMap: {} } }],
}
const row = rowOfBytes(rowBytes)

function rowOfBytes(bytes) {
  const make = (textBytes) => encodedRow(VIEW, ['x'.repeat(textBytes)])
  const more = bytes - make(0).length
  return make(more - (make(more).length - bytes))
}

/** The rows as they come off a socket: one after the other in reads, with what the protocol has between them. */
function readMany(keys) {
  const perRead = Math.max(1, Math.floor(READ_BYTES / (row.length + REPLY_HEAD_BYTES)))
  const answers = []
  let read
  for (const [index] of keys.entries()) {
    const place = index % perRead
    if (place === 0)
      read = Buffer.allocUnsafeSlow(Math.min(perRead, keys.length - index) * (row.length + REPLY_HEAD_BYTES))
    const start = place * (row.length + REPLY_HEAD_BYTES) + REPLY_HEAD_BYTES
    read.set(row, start)
    answers.push(read.subarray(start, start + row.length))
  }
  return Promise.resolve(answers)
}

/** As many bytes as there can be: entries are what bounds this L1. */
function servingOf(entriesMax) {
  return openServing({
    definitions: definitionsOf({ views: [VIEW], services: [SERVICE] }),
    store: { shardCount: 1, readMany },
    flags: { 'cache-bytes': '64GiB', 'cache-entries': entriesMax },
  })
}

const room = Buffer.allocUnsafeSlow(BATCH_ROWS * (row.length + 64))
const { signal } = new AbortController()
const caller = { signal, roomFor: (bytes) => room.subarray(0, bytes) }

const text = (field, value) => lengthField(field, Buffer.from(value))
const service = text(1, 'text')

function request(first, count) {
  const users = Array.from({ length: count }, (_, index) => text(1, `user-${first + index}`))
  const strings = lengthField(2, Buffer.concat(users))
  return Buffer.concat([service, lengthField(3, Buffer.concat([text(1, 'user'), strings]))])
}

/** Asks for rows that were not asked for before; processor microseconds of a row, and the longest request. */
async function ask(serving, first, count) {
  const { user, system } = process.cpuUsage()
  let longestMs = 0
  for (let at = 0; at < count; at += BATCH_ROWS) {
    const beganMs = performance.now()
    await serving.getFeatures(request(first + at, Math.min(BATCH_ROWS, count - at)), caller)
    longestMs = Math.max(longestMs, performance.now() - beganMs)
  }
  const used = process.cpuUsage({ user, system })
  return { microsPerRow: (used.user + used.system) / count, longestMs }
}

function memory() {
  for (let turn = 0; turn < 3; turn++) gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed, external }
}

const perRow = (before, after, count) =>
  Object.fromEntries(Object.keys(before).map((name) => [name, (after[name] - before[name]) / count]))

const small = servingOf(SMALL_ROWS)
await ask(small, 0, rows)
const serving = servingOf(rows)
const before = memory()
const filling = await ask(serving, 0, rows)
const filled = perRow(before, memory(), rows)
const evicting = await ask(serving, rows, turnovers * rows)
const turned = perRow(before, memory(), rows)
if (serving.stats().cacheEntries !== rows) throw new Error(`L1 has ${serving.stats().cacheEntries} rows, not ${rows}`)
if (small.stats().cacheEntries === 0) throw new Error('the small cache is gone')
process.send({ rowBytes: row.length, filled, turned, filling, evicting })
process.disconnect()
