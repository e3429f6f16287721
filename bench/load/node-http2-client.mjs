/**
 * The same calls through Node's own HTTP/2 client, which decision record 021 weighs against the lean one. It checks answers as
 * that does, and has no connections but those it begins with.
 */
import { once } from 'node:events'
import { connect } from 'node:http2'
import { Answer } from './http2/answer.mjs'
import { withPrefix } from './http2/request.mjs'

const WINDOW_BYTES = 2 ** 31 - 1
const CANCEL = 8

/** `tls.ca`: the certificate to trust, PEM; without `tls` sockets are plain. */
export async function openNodeHttp2Client({ target, connections, deadlineMs, onDone, tls }) {
  const sessions = Array.from({ length: connections }, () =>
    connect(`${tls === undefined ? 'http' : 'https'}://${target}`, {
      ...tls,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    }),
  )
  try {
    await Promise.all(sessions.map((session) => once(session, 'remoteSettings')))
  } catch (error) {
    for (const session of sessions) session.destroy()
    throw new Error(`${target}: ${error.message}`)
  }
  for (const session of sessions) {
    session.setLocalWindowSize(WINDOW_BYTES)
    session.on('error', () => {})
  }
  let turn = 0
  return {
    method(path) {
      const headers = {
        ':method': 'POST',
        ':path': path,
        'grpc-timeout': `${deadlineMs}m`,
        'content-type': 'application/grpc',
        te: 'trailers',
      }
      return (message) => ({ headers, body: withPrefix(message) })
    },
    send(call) {
      sendOne(sessions[turn], call, deadlineMs, onDone)
      turn = (turn + 1) % connections
    },
    close() {
      for (const session of sessions) session.destroy()
    },
  }
}

function sendOne(session, call, deadlineMs, onDone) {
  const stream = session.request(call.request.headers)
  const answer = new Answer()
  let status
  let expired = false
  stream.on('response', (headers) => {
    status = headers['grpc-status']
  })
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status']
  })
  stream.on('data', (chunk) => answer.data(chunk, 0, chunk.length))
  stream.on('error', () => {})
  stream.once('close', () => {
    clearTimeout(timer)
    if (expired) onDone(call, `DEADLINE_EXCEEDED: no answer within ${deadlineMs} ms`, 0)
    else if (status === '0' && answer.messages === 1) onDone(call, null, answer.bytes)
    else onDone(call, status === undefined ? 'UNAVAILABLE: no status' : `status ${status}`, 0)
  })
  const timer = setTimeout(() => {
    expired = true
    stream.close(CANCEL)
  }, deadlineMs)
  stream.end(call.request.body)
}
