/** What has come of the answer to one call: gRPC messages in however many pieces, and the status that ends it. */
import { decodeBlock } from './hpack.mjs'

const PREFIX_BYTES = 5

const CODES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
]

/** A server sends the same few blocks over and over; only the date of an answer changes, once a second. */
const BLOCKS_MAX = 1000
const blocks = new Map()

export class Answer {
  messages = 0
  /** Of the messages, without their prefixes. */
  bytes = 0
  #prefixBytes = 0
  #messageBytes = 0
  #isCompressed = false
  /** Of the message at hand, still to come. */
  #left = 0
  #head
  #isStreamed
  #onMessage

  /** `isStreamed`: any number of messages are an answer, instead of one. `onMessage(bytes)` is told of each when it is whole. */
  constructor(isStreamed = false, onMessage = ignore) {
    this.#isStreamed = isStreamed
    this.#onMessage = onMessage
  }

  data(chunk, start, end) {
    let at = start
    while (at < end) {
      if (this.#prefixBytes < PREFIX_BYTES) {
        this.#prefix(chunk[at++])
        continue
      }
      const taken = Math.min(end - at, this.#left)
      this.#left -= taken
      at += taken
      if (this.#left === 0) this.#whole()
    }
  }

  #prefix(byte) {
    if (this.#prefixBytes === 0) {
      this.#isCompressed ||= byte !== 0
      this.#messageBytes = 0
    } else {
      this.#messageBytes = this.#messageBytes * 256 + byte
    }
    if (++this.#prefixBytes < PREFIX_BYTES) return
    this.messages++
    this.bytes += this.#messageBytes
    this.#left = this.#messageBytes
    if (this.#left === 0) this.#whole()
  }

  #whole() {
    this.#prefixBytes = 0
    this.#onMessage(this.#messageBytes)
  }

  headers(block) {
    this.#head = headOf(block, this.#head)
  }

  /** Once it has ended: null, or why it is no answer. */
  failure() {
    const head = this.#head
    if (head === undefined) return 'INTERNAL: an answer without headers'
    if (head.failure !== null) return head.failure
    if (this.#prefixBytes > 0) return 'INTERNAL: an answer that ends within a message'
    if (this.#isCompressed) return 'INTERNAL: an answer that is compressed, which was not asked for'
    return this.#isStreamed || this.messages === 1 ? null : `INTERNAL: an answer of ${this.messages} messages`
  }
}

/** What a block says. Trailers hold the status, and come after headers that hold the one of HTTP; either may be all there is. */
function headOf(block, before) {
  const key = block.latin1Slice(0, block.length)
  let head = blocks.get(key)
  if (head === undefined) {
    const fields = new Map(decodeBlock(block))
    head = { http: fields.get(':status'), grpc: fields.get('grpc-status'), failure: failureOf(fields) }
    if (blocks.size === BLOCKS_MAX) blocks.clear()
    blocks.set(key, head)
  }
  const isFault = before !== undefined && before.http !== undefined && before.http !== '200'
  return isFault ? before : head
}

function failureOf(fields) {
  const http = fields.get(':status')
  if (http !== undefined && http !== '200') return `UNAVAILABLE: HTTP status ${http}`
  const status = fields.get('grpc-status')
  if (status === undefined) return 'UNKNOWN: an answer without a status'
  return status === '0'
    ? null
    : `${CODES[Number(status)] ?? status}: ${decodeMessage(fields.get('grpc-message') ?? '')}`
}

function decodeMessage(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function ignore() {}
