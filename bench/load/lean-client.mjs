/**
 * The client of the load generator: calls of prepared bytes over connections of its own, which cost a fraction of what
 * they cost through a client that is made for programs. See docs/decisions/021.
 *
 * Calls go to the connections in turn. A call that finds no room (the server's limit on streams, or no connection yet) waits in
 * line. A lost connection fails the calls that were on it and is opened again by the next call; one that the server wants to be
 * rid of (GOAWAY), or whose stream numbers are used up, is followed by another while it ends what it has.
 */
import { Connection } from './http2/connection.mjs'
import { headerBlock, prepareRequest } from './http2/request.mjs'
import { openLanes, socketAddress } from './lanes.mjs'

/** A server that is not there is not asked more often than this. */
const RECONNECT_MS = 50

/** `onDone(call, failure, answerBytes)`: `failure` is null, or a text that begins with the status. */
export async function openLeanClient({ target, connections, deadlineMs, onDone, firstStreamId = 1 }) {
  const address = { ...socketAddress(target), firstStreamId }
  const lanes = Array.from({ length: connections }, () => new Lane(address, onDone))
  const { next, close } = await openLanes(target, lanes, deadlineMs)
  return {
    takesStreamed: true,

    /** What `send` takes as `call.request`. `isStreamed`: the answer is any number of messages, and done with the last of them. */
    method(path, isStreamed = false) {
      const block = headerBlock({ authority: target, path, deadlineMs })
      return (message) => ({ ...prepareRequest(block, message), isStreamed })
    },
    /** `call`: { request, sentMs }. */
    send(call) {
      next().send(call)
    },
    close,
  }
}

/** The connection that takes calls now, and those that wait for it. Connections that are leaving end by themselves. */
class Lane {
  #address
  #onDone
  #current
  #leaving = new Set()
  #waiting = []
  #opening
  #isClosed = false
  #openedMs = 0
  #reopening

  constructor(address, onDone) {
    this.#address = address
    this.#onDone = onDone
  }

  /** Resolves when a connection is ready; rejects if none can be made. */
  opened() {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#open()
    })
  }

  send(call) {
    if (this.#current?.hasRoom && this.#waiting.length === 0) this.#current.send(call)
    else {
      this.#waiting.push(call)
      if (this.#current === undefined) this.#reopen()
    }
  }

  expire(nowMs, deadlineMs) {
    for (const connection of [...this.#leaving, this.#current]) connection?.expire(nowMs, deadlineMs)
    while (this.#waiting.length > 0 && nowMs - this.#waiting[0].sentMs > deadlineMs) {
      this.#onDone(this.#waiting.shift(), `DEADLINE_EXCEEDED: not sent within ${deadlineMs} ms`, 0)
    }
  }

  close() {
    this.#isClosed = true
    clearTimeout(this.#reopening)
    for (const connection of [...this.#leaving, this.#current]) connection?.close()
  }

  #reopen() {
    if (this.#isClosed || this.#reopening !== undefined) return
    const waitMs = Math.max(0, this.#openedMs + RECONNECT_MS - performance.now())
    this.#reopening = setTimeout(() => {
      this.#reopening = undefined
      this.#open()
    }, waitMs)
  }

  #open() {
    this.#openedMs = performance.now()
    const connection = new Connection(this.#address, {
      done: this.#onDone,
      ready: () => {
        this.#opening?.resolve()
        this.#sendWaiting()
      },
      room: () => {
        if (this.#waiting.length > 0) this.#sendWaiting()
      },
      unseen: (call) => this.#waiting.push(call),
      leaving: () => {
        this.#leaving.add(connection)
        if (this.#current !== connection) return
        this.#current = undefined
        if (!this.#isClosed) this.#open()
      },
      gone: (reason) => {
        this.#leaving.delete(connection)
        this.#opening?.reject(new Error(reason))
        if (this.#current !== connection) return
        this.#current = undefined
        this.#failWaiting(reason)
      },
    })
    // The first numbers are for a test of what comes after the last.
    this.#address = { ...this.#address, firstStreamId: 1 }
    this.#current = connection
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#current?.hasRoom) this.#current.send(this.#waiting.shift())
  }

  #failWaiting(reason) {
    for (const call of this.#waiting.splice(0)) this.#onDone(call, reason, 0)
  }
}
