/**
 * The baseline of every latency: a grpc-js server that does nothing but answer with bytes it was given.
 *
 * It has the method path of the real one, so that a client does exactly the same for both. `Prepare` sets the answer.
 */
import { Server, ServerCredentials } from '@grpc/grpc-js'

let answer = Buffer.alloc(0)
const bytes = { requestStream: false, responseStream: false }
for (const name of ['requestSerialize', 'requestDeserialize', 'responseSerialize', 'responseDeserialize']) {
  bytes[name] = (message) => message
}
const server = new Server()
server.addService(
  {
    GetFeatures: { path: '/twinstore.v1.Serving/GetFeatures', ...bytes },
    Prepare: { path: '/bench.Static/Prepare', ...bytes },
  },
  {
    GetFeatures: (_call, reply) => reply(null, answer),
    Prepare(call, reply) {
      answer = Buffer.from(call.request)
      reply(null, Buffer.alloc(0))
    },
  },
)
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  console.log(`ready grpc 127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.forceShutdown())
