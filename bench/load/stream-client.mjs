/**
 * Calls as messages of one stream that lasts, on connections of the generator's own: each message is answered by one, in their order
 * (StreamFeatures). A call then costs a message and its answer, without the headers and the stream that a unary one has.
 *
 * A stream that ends fails what waits on it and what comes after, and is not opened again: a load on a stream that breaks is none.
 */
import { Connection } from './http2/connection.mjs'
import { headerBlock, prepareRequest, withPrefix } from './http2/request.mjs'
import { openLanes, socketAddress } from './lanes.mjs'

/** As `openLeanClient`, for one method. `deadlineMs` is that of each message; the stream itself has none. */
export async function openStreamClient({ target, connections, deadlineMs, onDone }) {
  const lanes = Array.from({ length: connections }, () => new StreamLane(target, onDone))
  const { next, close } = await openLanes(target, lanes, deadlineMs)
  return {
    method(path) {
      const opening = prepareRequest(headerBlock({ authority: target, path }), Buffer.alloc(0))
      for (const lane of lanes) lane.begin(opening)
      return withPrefix
    },
    send(call) {
      next().send(call)
    },
    close,
  }
}

/** A connection with its one stream. */
class StreamLane {
  #onDone
  #opened
  #connection
  #stream
  #waiting = []
  #fault

  constructor(target, onDone) {
    this.#onDone = onDone
    this.#opened = new Promise((resolve, reject) => {
      this.#connection = new Connection(socketAddress(target), {
        ready: resolve,
        done: (_opening, failure) => this.#fail(failure ?? 'UNAVAILABLE: the server ended the stream'),
        room: () => {},
        unseen: () => this.#fail('UNAVAILABLE: the server has not begun with the stream'),
        leaving: () => {},
        gone: (reason) => {
          this.#fail(reason)
          reject(new Error(reason))
        },
      })
    })
  }

  opened() {
    return this.#opened
  }

  begin(request) {
    this.#stream = this.#connection.open({ request }, (bytes) => this.#onDone(this.#waiting.shift(), null, bytes))
  }

  send(call) {
    this.#waiting.push(call)
    if (this.#fault === undefined) this.#connection.write(this.#stream, call.request)
    else setImmediate(() => this.#fail(this.#fault))
  }

  expire(nowMs, deadlineMs) {
    if (this.#waiting.length === 0 || nowMs - this.#waiting[0].sentMs <= deadlineMs) return
    this.#fail(`DEADLINE_EXCEEDED: no answer within ${deadlineMs} ms`)
  }

  close() {
    this.#connection.close()
  }

  #fail(failure) {
    this.#fault ??= failure
    for (const call of this.#waiting.splice(0)) this.#onDone(call, this.#fault, 0)
  }
}
