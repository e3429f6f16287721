/**
 * Connections that have no call, as clients keep many of: without ever having had one, or after some calls each. They take next to
 * nothing of this process.
 *
 * Their header blocks are those of gRPC's clients, which fill the server's dynamic table: part of what a connection costs.
 */
import { connect } from 'node:net'
import { FrameReader } from '../load/http2/frame-reader.mjs'
import { FLAG, frame, PREFACE, SETTING, settingsFrame, TYPE } from '../load/http2/frames.mjs'
import { decodeBlock, IndexingEncoder } from '../load/http2/hpack.mjs'
import { headerFields, prepareRequest, setStreamId } from '../load/http2/request.mjs'
import { usersRequest } from './feature-data.mjs'

const DEADLINE_MS = 30_000
/** Less than a listening socket's queue of those that it has not accepted yet. */
const OPENING_AT_ONCE = 200
/** Connections without calls have few at a time; V8 keeps what many leave behind, until it has reason to look for it. */
const CALLS_AT_ONCE = 32
const NOTHING = Buffer.alloc(0)

/** `path`, the message, and the gRPC status that it must have. */
const CALLS = {
  health: ['/grpc.health.v1.Health/Check', NOTHING, '0'],
  unary: ['/twinstore.v1.Serving/GetFeatures', usersRequest(0, 1), '0'],
  stream: ['/twinstore.v1.Serving/StreamFeatures', usersRequest(0, 1), '0'],
  malformed: ['/twinstore.v1.Serving/GetFeatures', Buffer.from([0xff]), '3'],
  unknown: ['/twinstore.v1.Serving/NoSuchMethod', NOTHING, '12'],
}

export const ONE_CALL = ['health']
export const MORE_CALLS = ['unary', 'stream', 'malformed', 'unknown']

/** Resolves when `count` connections to the address have been greeted; they stay open until what was deferred ends them. */
export async function openIdleConnections(defer, address, count) {
  const sockets = []
  defer(() => {
    for (const socket of sockets) socket.destroy()
  })
  const opening = Buffer.concat([PREFACE, settingsFrame([[SETTING.HEADER_TABLE_SIZE, 0]])])
  await onEach(Array(count).fill(), OPENING_AT_ONCE, async () => {
    const socket = openSocket(address)
    sockets.push(socket)
    const isGreeting = (type, flags) => type === TYPE.SETTINGS && (flags & FLAG.ACK) === 0
    await answered(socket, opening, isGreeting)
    socket.write(frame(TYPE.SETTINGS, FLAG.ACK, 0))
  })
  const encoder = new IndexingEncoder()
  let streamId = -1

  return {
    /** These calls on each of them, one after the other; resolves when the last has its answer. */
    async call(names) {
      for (const name of names) {
        streamId += 2
        const [path, message, status] = CALLS[name]
        // A client has less time for each call that belongs to a request of its own, so no two say the same.
        const deadlineMs = DEADLINE_MS - streamId
        const request = requestBytes(
          encoder.block(headerFields({ authority: address, path, deadlineMs })),
          message,
          streamId,
        )
        await onEach(sockets, CALLS_AT_ONCE, (socket) =>
          answered(socket, request, (type, flags, _id, payload) => isEnd(type, flags, payload, name, status)),
        )
      }
    },
  }
}

async function onEach(list, atOnce, work) {
  const rest = list.values()
  const lane = async () => {
    for (const each of rest) await work(each)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

function openSocket(address) {
  const colon = address.lastIndexOf(':')
  return connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true })
}

function requestBytes(block, message, streamId) {
  const { frames, dataAt } = prepareRequest(block, message)
  setStreamId(frames, 0, streamId)
  setStreamId(frames, dataAt, streamId)
  return frames
}

function isEnd(type, flags, payload, name, status) {
  if (type !== TYPE.HEADERS || (flags & FLAG.END_STREAM) === 0) return false
  const got = new Map(decodeBlock(payload)).get('grpc-status')
  if (got !== status) throw new Error(`the call "${name}" has status ${got} and not ${status}`)
  return true
}

/** Writes the bytes; resolves when a frame has come that `isLast` says is the answer to them. */
function answered(socket, bytes, isLast) {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error('the server closed a connection'))
    const reader = new FrameReader({
      data: () => {},
      dataFrame: () => {},
      frame(...frame) {
        if (!isLast(...frame)) return
        // The reader, which has a buffer, is not needed any more.
        for (const event of ['data', 'error', 'close']) socket.removeAllListeners(event)
        socket.on('error', () => {}).resume()
        resolve()
      },
    })
    socket.on('data', (chunk) => {
      try {
        reader.read(chunk, chunk.length)
      } catch (error) {
        reject(error)
      }
    })
    socket.on('error', reject)
    socket.once('close', closed)
    socket.write(bytes)
  })
}
