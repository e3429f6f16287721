/**
 * One HTTP/2 connection of a gRPC client that makes calls of prepared bytes, and nothing else: unary ones, ones whose answer is many
 * messages, and streams that last.
 *
 * What makes it cheap: the frames of a call are copied and get their number; all calls of one turn leave in one write; answers
 * are walked over where the socket put them; a header block is known by its bytes. Windows for what it receives are as large as
 * they can be, so that it has next to nothing to say about them. What it must mind it does: the peer's windows, frame size and
 * stream limit, pings, settings, resets and GOAWAY.
 */
import { connect } from 'node:net'
import { Answer } from './answer.mjs'
import { FrameReader } from './frame-reader.mjs'
import {
  CANCEL,
  errorName,
  FLAG,
  FRAME_BYTES_MAX,
  frame,
  numberFrame,
  PREFACE,
  SETTING,
  STREAM_ID_MAX,
  settingsFrame,
  TYPE,
  WINDOW_BYTES,
  WINDOW_BYTES_MAX,
} from './frames.mjs'
import { Outbox } from './outbox.mjs'
import { setStreamId } from './request.mjs'

/** Fewer reads where answers are long: one of 200 KB then comes in one. Kept for the life of the connection. */
const READ_BYTES = 256 * 1024
/** The peer is given back this much of its window at a time, long before the two gigabytes are used up. */
const WINDOW_RETURNED_BYTES = 2 ** 28

const OPENING = Buffer.concat([
  PREFACE,
  settingsFrame([
    [SETTING.HEADER_TABLE_SIZE, 0],
    [SETTING.ENABLE_PUSH, 0],
    [SETTING.INITIAL_WINDOW_SIZE, WINDOW_BYTES_MAX],
  ]),
  numberFrame(TYPE.WINDOW_UPDATE, 0, WINDOW_BYTES_MAX - WINDOW_BYTES),
])

export class Connection {
  #owner
  #socket
  #outbox
  #reader
  #nextId
  /** In the order in which they were sent, which is that of their deadlines. */
  #streams = new Map()
  #isReady = false
  #isLeaving = false
  #fault
  #receivedBytes = 0
  #sendWindow = WINDOW_BYTES
  #peer = { streamWindow: WINDOW_BYTES, frameBytes: FRAME_BYTES_MAX, streamsMax: Number.POSITIVE_INFINITY }
  /** Streams whose body could not be sent whole. */
  #held = new Set()
  /** A header block that goes on in CONTINUATION frames. */
  #opened

  /**
   * `owner.ready()`: the peer's settings have come. `owner.done(call, failure, bytes)`: a call has ended, well if `failure` is null.
   * `owner.room()`: a stream has ended, another may be opened. `owner.leaving()`: no other may, ever. `owner.unseen(call)`: the peer
   * says that it has not begun with this call. `owner.gone(reason)`: the connection is lost, after `done` of every call on it.
   */
  constructor({ host, port, firstStreamId = 1 }, owner) {
    this.#owner = owner
    this.#nextId = firstStreamId
    this.#reader = new FrameReader({
      data: (streamId, chunk, start, end, isEnd) => this.#data(streamId, chunk, start, end, isEnd),
      dataFrame: (bytes, streamId) => this.#returnWindows(bytes, streamId),
      frame: (type, flags, streamId, payload) => this.#frame(type, flags, streamId, payload),
    })
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes, buffer) => this.#read(bytes, buffer),
    }
    this.#socket = connect({ host, port, noDelay: true, onread })
    this.#outbox = new Outbox(this.#socket)
    this.#socket.once('connect', () => this.#socket.write(OPENING))
    this.#socket.on('error', (error) => {
      this.#fault ??= error.message
    })
    this.#socket.once('end', () => this.#socket.destroy())
    this.#socket.once('close', () => this.#closed())
  }

  /** Whether a call may be sent now. */
  get hasRoom() {
    return this.#isReady && !this.#isLeaving && this.#streams.size < this.#peer.streamsMax
  }

  get isIdle() {
    return this.#streams.size === 0
  }

  close() {
    this.#fault ??= 'closed by the client'
    this.#socket.destroy()
  }

  send(call) {
    const { request } = call
    const stream = this.#begin(call, new Answer(request.isStreamed))
    const bytes = request.body.length
    if (request.frames !== undefined && bytes <= this.#sendWindow && bytes <= stream.window) {
      const at = this.#outbox.put(request.frames)
      setStreamId(this.#outbox.slab, at, stream.id)
      setStreamId(this.#outbox.slab, at + request.dataAt, stream.id)
      this.#sendWindow -= bytes
      stream.window -= bytes
      stream.sent = bytes
    } else {
      this.#putHeaders(stream)
      this.#held.add(stream)
      this.#sendBody(stream)
    }
    if (this.#nextId > STREAM_ID_MAX) this.#leave()
  }

  /**
   * Opens a stream that lasts, with the headers of the call, and gives what `write` takes. `onMessage(bytes)` is told of each answer;
   * `owner.done` when the stream has ended.
   */
  open(call, onMessage) {
    const stream = this.#begin(call, new Answer(true, onMessage))
    stream.body = Buffer.alloc(0)
    stream.isLasting = true
    this.#putHeaders(stream)
    return stream
  }

  /** One message with its prefix, behind what the windows have not let through yet. */
  write(stream, message) {
    const isAllSent = stream.sent === stream.body.length
    stream.body = isAllSent ? message : Buffer.concat([stream.body.subarray(stream.sent), message])
    stream.sent = 0
    this.#held.add(stream)
    this.#sendBody(stream)
  }

  #begin(call, answer) {
    const { body } = call.request
    const window = this.#peer.streamWindow
    const stream = { id: this.#nextId, call, answer, body, isLasting: false, window, sent: 0, receivedBytes: 0 }
    this.#nextId += 2
    this.#streams.set(stream.id, stream)
    return stream
  }

  #putHeaders(stream) {
    const at = this.#outbox.put(stream.call.request.headers)
    setStreamId(this.#outbox.slab, at, stream.id)
  }

  /** As much of the body as the windows let through. */
  #sendBody(stream) {
    const { body } = stream
    while (stream.sent < body.length) {
      const bytes = Math.min(body.length - stream.sent, this.#peer.frameBytes, this.#sendWindow, stream.window)
      if (bytes <= 0) return
      const end = stream.sent + bytes
      const flags = end === body.length && !stream.isLasting ? FLAG.END_STREAM : 0
      this.#outbox.put(frame(TYPE.DATA, flags, stream.id, body.subarray(stream.sent, end)))
      this.#sendWindow -= bytes
      stream.window -= bytes
      stream.sent = end
    }
    this.#held.delete(stream)
  }

  /** Ends the calls whose deadline has passed. `nowMs` and `deadlineMs` as `call.sentMs`. */
  expire(nowMs, deadlineMs) {
    for (const stream of this.#streams.values()) {
      if (nowMs - stream.call.sentMs <= deadlineMs) return
      this.#reset(stream)
      this.#end(stream, `DEADLINE_EXCEEDED: no answer within ${deadlineMs} ms`)
    }
  }

  #reset(stream) {
    this.#outbox.put(numberFrame(TYPE.RST_STREAM, stream.id, CANCEL))
  }

  #end(stream, failure) {
    this.#streams.delete(stream.id)
    this.#held.delete(stream)
    this.#owner.done(stream.call, failure, stream.answer.bytes)
    if (this.#isLeaving && this.isIdle) this.close()
    else this.#owner.room()
  }

  #leave() {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#owner.leaving()
    if (this.isIdle) this.close()
  }

  #closed() {
    const reason = `UNAVAILABLE: the connection was lost: ${this.#fault ?? 'closed by the server'}`
    this.#isLeaving = true
    for (const stream of this.#streams.values()) {
      this.#streams.delete(stream.id)
      this.#owner.done(stream.call, reason, 0)
    }
    this.#owner.gone(reason)
  }

  #read(bytes, buffer) {
    try {
      this.#reader.read(buffer, bytes)
    } catch (error) {
      this.#fault ??= error.message
      this.#socket.destroy()
    }
    return true
  }

  /** That of a stream too: one that lasts may take more than the two gigabytes it begins with. */
  #returnWindows(bytes, streamId) {
    this.#receivedBytes += bytes
    if (this.#receivedBytes >= WINDOW_RETURNED_BYTES) {
      this.#outbox.put(numberFrame(TYPE.WINDOW_UPDATE, 0, this.#receivedBytes))
      this.#receivedBytes = 0
    }
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    stream.receivedBytes += bytes
    if (stream.receivedBytes < WINDOW_RETURNED_BYTES) return
    this.#outbox.put(numberFrame(TYPE.WINDOW_UPDATE, streamId, stream.receivedBytes))
    stream.receivedBytes = 0
  }

  #data(streamId, chunk, start, end, isEnd) {
    const stream = this.#streams.get(streamId)
    // Of a call that was ended here.
    if (stream === undefined) return
    stream.answer.data(chunk, start, end)
    if (isEnd) this.#answered(stream)
  }

  #answered(stream) {
    // The peer does not want the rest of the request.
    if (this.#held.has(stream)) this.#reset(stream)
    this.#end(stream, stream.answer.failure())
  }

  #frame(type, flags, streamId, payload) {
    if (type === TYPE.HEADERS) this.#headers(streamId, flags, payload)
    else if (type === TYPE.CONTINUATION) this.#continuation(flags, payload)
    else if (type === TYPE.SETTINGS) this.#settings(flags, payload)
    else if (type === TYPE.WINDOW_UPDATE) this.#windowUpdate(streamId, payload.readUInt32BE(0) & 0x7fffffff)
    else if (type === TYPE.PING && !(flags & FLAG.ACK)) this.#outbox.put(frame(TYPE.PING, FLAG.ACK, 0, payload))
    else if (type === TYPE.RST_STREAM) this.#resetByPeer(streamId, payload.readUInt32BE(0))
    else if (type === TYPE.GOAWAY) this.#goAway(payload)
  }

  #headers(streamId, flags, payload) {
    const block = flags & FLAG.PRIORITY ? payload.subarray(5) : payload
    const isEnd = (flags & FLAG.END_STREAM) !== 0
    if (flags & FLAG.END_HEADERS) this.#block(streamId, block, isEnd)
    else this.#opened = { streamId, isEnd, parts: [Buffer.from(block)] }
  }

  #continuation(flags, payload) {
    const { streamId, isEnd, parts } = this.#opened
    parts.push(Buffer.from(payload))
    if (flags & FLAG.END_HEADERS) this.#block(streamId, Buffer.concat(parts), isEnd)
  }

  #block(streamId, block, isEnd) {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    stream.answer.headers(block)
    if (isEnd) this.#answered(stream)
  }

  #settings(flags, payload) {
    if (flags & FLAG.ACK) return
    for (let at = 0; at < payload.length; at += 6) this.#setting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    this.#outbox.put(frame(TYPE.SETTINGS, FLAG.ACK, 0))
    this.#sendHeld()
    if (this.#isReady) return
    this.#isReady = true
    this.#owner.ready()
  }

  #setting(setting, value) {
    if (setting === SETTING.MAX_CONCURRENT_STREAMS) this.#peer.streamsMax = value
    else if (setting === SETTING.MAX_FRAME_SIZE) this.#peer.frameBytes = value
    else if (setting === SETTING.INITIAL_WINDOW_SIZE) {
      const change = value - this.#peer.streamWindow
      this.#peer.streamWindow = value
      for (const stream of this.#streams.values()) stream.window += change
    }
  }

  #windowUpdate(streamId, bytes) {
    if (streamId === 0) this.#sendWindow += bytes
    else {
      const stream = this.#streams.get(streamId)
      if (stream !== undefined) stream.window += bytes
    }
    this.#sendHeld()
  }

  #sendHeld() {
    for (const stream of this.#held) this.#sendBody(stream)
  }

  #resetByPeer(streamId, code) {
    const stream = this.#streams.get(streamId)
    if (stream !== undefined) this.#end(stream, `UNAVAILABLE: the server reset the stream: ${errorName(code)}`)
  }

  /** The server takes no new streams; those above the last one that it names it has not begun with. */
  #goAway(payload) {
    const lastId = payload.readUInt32BE(0) & 0x7fffffff
    const code = payload.readUInt32BE(4)
    if (code !== 0) this.#fault ??= `the server ended it: ${errorName(code)} ${payload.toString('latin1', 8)}`.trim()
    const unseen = [...this.#streams.values()].filter(({ id }) => id > lastId)
    for (const stream of unseen) {
      this.#streams.delete(stream.id)
      this.#held.delete(stream)
      this.#owner.unseen(stream.call)
    }
    this.#leave()
  }
}
