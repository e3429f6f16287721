/**
 * POSTs of prepared bodies over HTTP/1.1 connections that are kept.
 *
 * A connection carries one request at a time, so `connections` bounds what is under way; a request beyond waits here for a
 * connection, and that wait is part of its latency, as it is with any pool of an application. undici rather than `node:http`,
 * which cost 22 to 36 µs of processor time a request where undici took 14 to 15 (8 connections, 300 bytes both ways, Node 20): on
 * a shared machine what the client takes the server lacks.
 */
import { Pool } from 'undici'

const ERROR_TEXT_BYTES_MAX = 300

/**
 * A failure is an Error whose `what` is short enough to count by: `HTTP 503`, `deadline` or what happened to the connection.
 * `done(error, answer)` is called once; `answer` is a Buffer.
 */
export function openHttp1(address, { connections }) {
  const pool = new Pool(`http://${address}`, { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  return {
    send(path, body, { deadlineMs, contentType = 'application/json' }, done) {
      const headers = { 'content-type': contentType, 'content-length': String(body.length) }
      pool.dispatch({ path, method: 'POST', headers, body }, new Answer(deadlineMs, done))
    },
    /** Ends at once; requests under way fail. */
    close: () => pool.destroy(),
  }
}

/** One request's answer as it arrives. */
class Answer {
  #done
  #timer
  #controller
  #status = 0
  #chunks = []

  constructor(deadlineMs, done) {
    this.#done = done
    this.#timer = setTimeout(() => {
      const late = failure('deadline', `no answer within ${deadlineMs} ms`)
      this.#finish(late)
      this.#controller?.abort(late)
    }, deadlineMs)
  }

  onRequestStart(controller) {
    this.#controller = controller
    // It waited for a connection until its time was up.
    if (this.#done === undefined) controller.abort(failure('deadline', 'no connection was free'))
  }

  onResponseStart(_controller, status) {
    this.#status = status
  }

  onResponseData(_controller, chunk) {
    this.#chunks.push(chunk)
  }

  onResponseEnd() {
    const answer = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
    if (this.#status === 200) this.#finish(null, answer)
    else {
      const text = answer.toString('utf8', 0, ERROR_TEXT_BYTES_MAX)
      this.#finish(failure(`HTTP ${this.#status}`, `HTTP ${this.#status}: ${text}`))
    }
  }

  onResponseError(_controller, error) {
    this.#finish(failure(error.code ?? error.name, error.message))
  }

  #finish(error, answer) {
    const done = this.#done
    if (done === undefined) return
    this.#done = undefined
    clearTimeout(this.#timer)
    done(error, answer)
  }
}

function failure(what, message) {
  return Object.assign(new Error(message), { what })
}
