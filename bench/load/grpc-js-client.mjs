/** The same calls through the client of grpc-js, so that anybody can see what the lean client changes, and what it does not. */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js'

const CONNECT_MS = 10_000

export async function openGrpcJsClient({ target, connections, deadlineMs, onDone }) {
  const clients = Array.from(
    { length: connections },
    () =>
      new Client(target, credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
        'grpc.enable_retries': 0,
      }),
  )
  const close = () => {
    for (const client of clients) client.close()
  }
  try {
    await Promise.all(clients.map(isConnected))
  } catch (error) {
    close()
    throw new Error(`${target}: ${error.message}`)
  }
  let turn = 0
  return {
    method: (path) => (message) => ({ path, message }),
    send(call) {
      const { path, message } = call.request
      const client = clients[turn]
      turn = (turn + 1) % connections
      const options = { deadline: Date.now() + deadlineMs }
      client.makeUnaryRequest(path, asIs, asIs, message, new Metadata(), options, (error, answer) => {
        if (error) onDone(call, `${status[error.code]}: ${error.details}`, 0)
        else onDone(call, null, answer.length)
      })
    },
    close,
  }
}

function isConnected(client) {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_MS, (error) => (error ? reject(error) : resolve()))
  })
}

function asIs(bytes) {
  return bytes
}
