/**
 * The load generator: a process of its own that makes gRPC calls of prepared bytes, by a pace, and tells how long each
 * took. What is measured shares neither its event loop nor its garbage with those who ask.
 *
 *     const load = await startLoad(defer)
 *     await load.prepare('hits', requests)
 *     const { perSecond, failures, intended, actual } = await load.run({
 *       target: '127.0.0.1:50051', path: '/twinstore.v1.Serving/GetFeatures', requests: 'hits',
 *       order: { kind: 'zipf', exponent: 1.1, seed: 1 },
 *       pace: { kind: 'open', perSecond: 5000, arrivals: 'poisson', seed: 1 },
 *       seconds: 5, warmSeconds: 1,
 *     })
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { onForcedEnd } from '../lib/resources.mjs'
import { newHistogram } from './tally.mjs'

const PROCESS = fileURLToPath(new URL('load-process.mjs', import.meta.url))

/**
 * `prepare(name, requests)` keeps request messages, Buffers, in the process. `run(settings)` makes one load:
 *
 *     target        host:port
 *     path          of the method; `requests`: the name of what was prepared
 *     order         { kind: 'inTurn', from } (default) | { kind: 'uniform', seed } | { kind: 'zipf', exponent, seed, drawSeed }
 *     isStreamed    the answer is any number of messages, and done with the last; with the client 'lean' only
 *     mix           instead of these four: [{ name, path, requests, order, isStreamed, share, answerBytesMin }]; a kind with `lanes`
 *                   instead of `share` goes on beside the pace, in a closed loop of its own over the same connections
 *     pace          { kind: 'closed', inFlight } | { kind: 'open', perSecond, arrivals: 'constant' | 'poisson', seed }
 *     seconds       measured, after `warmSeconds` (0) that are not
 *     connections   1; calls take them in turn
 *     deadlineMs    30,000, sent with every call and minded by the client
 *     answerBytesMin  a shorter answer is a failure
 *     tls           { ca }, PEM: TLS, with the client 'node-http2' only
 *     watched       ids of processes by group, whose processor time is to be told (`lib/cpu-account.mjs`)
 *     client        'lean' (default) | 'grpc-js' | 'node-http2' | 'http1': POSTs of JSON to `path`, `connections` at a time
 *                   | 'stream': one stream a connection, of which every request is a message that is answered by one, in their order
 *
 * and resolves to
 *
 *     perSecond     answers a second within the measured time (of a time too short for one: until the first)
 *     completed     calls that were due in it and answered OK, in the end
 *     calls         all that ended, the warm-up's too, failed or not
 *     failures      how many, by what
 *     intended      HDR histogram of nanoseconds from when a call was due; `actual` from when it was sent
 *     answerBytes   of all calls
 *     cpuSeconds    of the load process in the measured time; `cpuShare`: of one core
 *     account       with `watched`: what became of the machine's processor time in the measured time, the load process being
 *                   group `load`; how many calls ended in it; and when it was, `beganMicros` to `endedMicros` (process.hrtime)
 *     byName        of a mix: { completed, failures, intended, actual } by name
 *
 * `nodeFlags` are those of the load process.
 */
export async function startLoad(defer, { nodeFlags = [] } = {}) {
  const child = fork(PROCESS, [], { serialization: 'advanced', execArgv: nodeFlags })
  const forget = onForcedEnd(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit').finally(forget)
  const waiting = new Map()
  let lastId = 0
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(result)
    else reject(new Error(`load: ${error}`))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the load process ended with ${signal ?? code}`))
    waiting.clear()
  })
  defer(async () => {
    if (child.connected) child.disconnect()
    await exited
  })
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      child.send({ id, ...message }, (error) => {
        if (error && waiting.delete(id)) reject(error)
      })
    })
  return {
    pid: child.pid,
    prepare: (name, requests) => ask({ what: 'prepare', name, requests }),
    run: async (settings) => decoded(await ask({ what: 'run', settings }), settings.mix !== undefined),
  }
}

/** The result, or an error that tells what failed: a figure of calls that were not answered would be a lie. */
export function withoutFailures(result) {
  const entries = Object.entries(result.failures)
  if (entries.length === 0) return result
  throw new Error(`calls failed:\n${entries.map(([what, count]) => `  ${count} times: ${what}`).join('\n')}`)
}

function decoded({ byName, ...result }, isMix) {
  const kinds = byName.map(([name, { completed, failures, ...histograms }]) => {
    const intended = decodeFromCompressedBase64(histograms.intended)
    const actual = decodeFromCompressedBase64(histograms.actual)
    return [name, { completed, failures, intended, actual }]
  })
  const sum = { ...result, completed: 0, failures: {}, intended: newHistogram(), actual: newHistogram() }
  for (const [, { completed, failures, intended, actual }] of kinds) {
    sum.completed += completed
    for (const [what, count] of Object.entries(failures)) sum.failures[what] = (sum.failures[what] ?? 0) + count
    sum.intended.add(intended)
    sum.actual.add(actual)
  }
  return isMix ? { ...sum, byName: Object.fromEntries(kinds) } : sum
}
