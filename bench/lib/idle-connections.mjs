/** Connections that had one call and have none now, as clients keep many of. They take next to nothing of this process. */
import { connect } from 'node:net'
import { FrameReader } from '../load/http2/frame-reader.mjs'
import { FLAG, frame, PREFACE, settingsFrame, TYPE } from '../load/http2/frames.mjs'
import { headerBlock, prepareRequest, setStreamId } from '../load/http2/request.mjs'

const HEALTH = '/grpc.health.v1.Health/Check'
const DEADLINE_MS = 30_000
/** Less than a listening socket's queue of those that it has not accepted yet. */
const AT_ONCE = 200

/** Resolves when `count` connections to the address have had their answer; they stay open until what was deferred ends them. */
export async function openIdleConnections(defer, address, count) {
  const opening = openingBytes(address)
  const sockets = new Set()
  defer(() => {
    for (const socket of sockets) socket.destroy()
  })
  const lane = async () => {
    while (sockets.size < count) await oneCall(address, opening, sockets)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

function openingBytes(address) {
  const block = headerBlock({ authority: address, path: HEALTH, deadlineMs: DEADLINE_MS })
  const { frames, dataAt } = prepareRequest(block, Buffer.alloc(0))
  setStreamId(frames, 0, 1)
  setStreamId(frames, dataAt, 1)
  return Buffer.concat([PREFACE, settingsFrame([]), frames])
}

function oneCall(address, opening, sockets) {
  const colon = address.lastIndexOf(':')
  const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true })
  sockets.add(socket)
  return new Promise((resolve, reject) => {
    const reader = new FrameReader({
      data: () => {},
      dataFrame: () => {},
      frame(type, flags) {
        if (type === TYPE.SETTINGS && (flags & FLAG.ACK) === 0) socket.write(frame(TYPE.SETTINGS, FLAG.ACK, 0))
        if (type !== TYPE.HEADERS || (flags & FLAG.END_STREAM) === 0) return
        // The reader, which has a buffer, is not needed any more.
        socket.removeAllListeners('data')
        socket.resume()
        resolve()
      },
    })
    socket.on('data', (chunk) => reader.read(chunk, chunk.length))
    socket.on('error', reject)
    socket.once('close', () => reject(new Error(`${address} closed a connection`)))
    socket.write(opening)
  })
}
