/**
 * StreamFeatures against GetFeatures: the same requests to the same server, answered from L1, with as many under way.
 *
 * A stream saves what a call costs before its first and after its last byte: headers, a stream of HTTP/2, trailers. The client is this process,
 * in both cases grpc-js; what is compared is above all the server's processor time for a request.
 */
import { Client, credentials } from '@grpc/grpc-js'
import { compare } from '../lib/comparison.mjs'
import { usersRequest } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { GET_FEATURES, openHits } from '../lib/hits.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'StreamFeatures against GetFeatures, answered from L1'
const FIGURES = ['requests_per_s', 'server_cpu_us']
const SIZES = [1, 100]
export const figureNames = SIZES.flatMap((size) => compared(`${size}-row.`, 'unary', FIGURES))
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us/
const STREAM_FEATURES = '/twinstore.v1.Serving/StreamFeatures'
const MESSAGE_BYTES_MAX = 64 * 2 ** 20
const SETTINGS = {
  full: { rounds: 5, seconds: 0.8, warmSeconds: 0.3, inFlight: 32 },
  quick: { rounds: 1, seconds: 0.1, warmSeconds: 0.05, inFlight: 32 },
}

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer)
    const { address, cpuSeconds } = hits.sides.twinstore
    const unary = rawClient(defer, address)
    const stream = streamClient(defer, address)
    const figures = {}
    const rows = []
    for (const size of SIZES) {
      const requests = await hits.prepared((layout) => batches(size, layout))
      const contender = (send, seconds) => async () => {
        const cpuBefore = cpuSeconds()
        const { count, elapsedSeconds } = await pipelined(send, requests, { seconds, inFlight: settings.inFlight })
        return { requests_per_s: count / elapsedSeconds, server_cpu_us: ((cpuSeconds() - cpuBefore) / count) * 1e6 }
      }
      const contenders = (seconds) => ({
        stream: contender(stream, seconds),
        unary: contender((request, done) => unary.send(GET_FEATURES, request, done), seconds),
      })
      await takeTurns(contenders(settings.warmSeconds), 1)
      const label = `${size} x 2 KB`
      const rounds = await hits.fromL1(label, () => takeTurns(contenders(settings.seconds), settings.rounds))
      const comparison = compare(rounds, 'stream', 'unary')
      rows.push(...comparison.rows(label, FIGURES))
      Object.assign(figures, comparison.figures(`${size}-row.`))
    }
    return { settings, figures, head: ['request', 'method', 'requests/s', 'server CPU µs'], rows }
  })
}

function batches(size, knownLayout) {
  return Array.from({ length: 40 }, (_, index) => usersRequest(index * 100, size, knownLayout))
}

/** Keeps `inFlight` requests under way for `seconds`, and waits for the last. */
function pipelined(send, requests, { seconds, inFlight }) {
  return new Promise((resolve, reject) => {
    const beganMs = performance.now()
    const endMs = beganMs + seconds * 1000
    let count = 0
    let underWay = 0
    const next = () => {
      if (performance.now() >= endMs) {
        if (underWay === 0) resolve({ count, elapsedSeconds: (performance.now() - beganMs) / 1000 })
        return
      }
      underWay++
      send(requests[count++ % requests.length], (error) => {
        underWay--
        if (error) reject(error)
        else next()
      })
    }
    for (let lane = 0; lane < inFlight; lane++) next()
  })
}

/** One stream for all requests; answers come in their order. */
function streamClient(defer, address) {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  })
  const call = client.makeBidiStreamRequest(STREAM_FEATURES, passThrough, passThrough)
  const waiting = []
  call.on('data', () => waiting.shift()())
  call.on('error', (error) => {
    for (const done of waiting.splice(0)) done(error)
  })
  defer(() => {
    call.end()
    client.close()
  })
  return (request, done) => {
    waiting.push(done)
    call.write(request)
  }
}

function passThrough(bytes) {
  return bytes
}
