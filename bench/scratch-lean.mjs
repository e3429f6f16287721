import { createLeanServer } from '../dist/grpc/grpc-server.js'
import { startStaticServer } from './lib/processes.mjs'
import { withResources } from './lib/resources.mjs'
import { startLoad } from './load/load.mjs'
import { fork } from 'node:child_process'
import { rawClient } from './lib/raw-client.mjs'
if (process.argv[2] === 'serve') {
  const size = Number(process.argv[3])
  const body = Buffer.alloc(size, 'x')
  const L = { resetsBurst: 5000, resetsPerSecond: 1000, emptyFramesBurst: 5000, emptyFramesPerSecond: 1000, blockBytesMax: 65536, continuationsMax: 16, streamsMax: 1000, headerListBytesMax: 16384, streamWindowBytes: 262144, connectionWindowBytes: 4194304, outputBytesMax: 262144, queuedBytesMax: 64 * 2 ** 20, times: { handshakeMs: 10000, frameMs: 10000, stallMs: 60000, keepaliveMs: 60000, keepaliveTimeoutMs: 20000, idleMs: Infinity, ageMs: Infinity, graceMs: 10000 } }
  const server = createLeanServer({ methods: new Map([['/twinstore.v1.Serving/GetFeatures', { kind: 'unary', handle: (_r, call) => { const b = call.roomFor(size); body.copy(b); return b } }]]), limits: L, connectionsMax: 1000, onFault: console.error,
    calls: { messageBytesMax: 4e6, writeAheadBytesMax: 1e6, nowMs: () => performance.now(), after: (d, c) => { const t = setTimeout(c, d).unref(); return { cancel: () => clearTimeout(t) } }, statusOf: (e) => ({ code: 13, details: String(e) }), abortReason: (k) => new Error(k), onEnded() {} } })
  const port = await server.listen('127.0.0.1', 0)
  process.send(port)
} else {
  await withResources(async (defer) => {
    for (const size of [2048, 200000]) {
      const child = fork(new URL(import.meta.url).pathname, ['serve', size]); defer(() => child.kill())
      const port = await new Promise((r) => child.once('message', r))
      const st = await startStaticServer(defer)
      await rawClient(defer, st.address).call('/bench.Static/Prepare', Buffer.alloc(size, 'x'))
      const load = await startLoad(defer)
      await load.prepare('r', [Buffer.alloc(60, 1)])
      for (let round = 0; round < 2; round++) for (const [name, target, pid] of [['lean', `127.0.0.1:${port}`], ['static', st.address]]) {
        const r = await load.run({ target, path: '/twinstore.v1.Serving/GetFeatures', requests: 'r', order: { kind: 'inTurn' }, pace: { kind: 'closed', inFlight: size > 10000 ? 8 : 64 }, connections: 2, seconds: 2, warmSeconds: 1, deadlineMs: 10000, answerBytesMin: size })
        console.log(size, name, Math.round(r.perSecond), 'p99 ms', r.actual.getValueAtPercentile(99) / 1e6, 'load cpu', r.cpuSeconds / 2, r.failures)
      }
    }
  })
}
