/** Calls of prepared bytes over one connection: what is measured is the server and gRPC, not the making of requests. */
import { Client, credentials, Metadata } from '@grpc/grpc-js'

/** Calls carry a deadline, as those of any careful client do; both servers have to mind it. */
const DEADLINE_MS = 30_000
const MESSAGE_BYTES_MAX = 64 * 2 ** 20

/** `send(request, path)` takes a callback rather than giving a promise, which would cost time that is measured. */
export function rawClient(defer, address) {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  })
  defer(() => client.close())
  const send = (path, request, done) => {
    const options = { deadline: Date.now() + DEADLINE_MS }
    client.makeUnaryRequest(path, passThrough, passThrough, request, new Metadata(), options, done)
  }
  return {
    send,
    call: (path, request) =>
      new Promise((resolve, reject) => {
        send(path, request, (error, answer) => (error ? reject(error) : resolve(answer)))
      }),
  }
}

function passThrough(bytes) {
  return bytes
}
