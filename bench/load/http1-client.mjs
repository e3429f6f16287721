/**
 * POSTs of prepared JSON over HTTP/1.1 connections that are kept.
 *
 * A connection carries one request at a time, so `connections` bounds what is under way; a request beyond waits here for a
 * connection, and that wait is part of its latency, as it is with any pool of an application. undici rather than `node:http`,
 * which cost 22 to 36 µs of processor time a request where undici took 14 to 15 (8 connections, 300 bytes both ways, Node 20): on
 * a shared machine what the client takes the server lacks.
 */
import { Pool } from 'undici'

const ERROR_TEXT_LENGTH_MAX = 300

/** `onDone(call, failure, answerBytes)`: `failure` is null, or a text that begins with what it was: `HTTP 503`, `deadline`. */
export function openHttp1Client({ target, connections, deadlineMs, onDone }) {
  const pool = new Pool(`http://${target}`, { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  return {
    /** What `send` takes as `call.request`. */
    method: (path) => (body) => ({
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      body,
    }),
    send: (call) => pool.dispatch(call.request, new Answer(call, deadlineMs, onDone)),
    /** Ends at once; requests under way fail. */
    close: () => pool.destroy(),
  }
}

/** One request's answer as it arrives. */
class Answer {
  #call
  #onDone
  #deadlineMs
  #timer
  #controller
  #status = 0
  #bytes = 0
  #errorText = ''

  constructor(call, deadlineMs, onDone) {
    this.#call = call
    this.#onDone = onDone
    this.#deadlineMs = deadlineMs
    this.#timer = setTimeout(() => this.#expire(), deadlineMs)
  }

  onRequestStart(controller) {
    this.#controller = controller
    // It waited for a connection until its time was up.
    if (this.#onDone === undefined) controller.abort(new Error('deadline'))
  }

  onResponseStart(_controller, status) {
    this.#status = status
  }

  onResponseData(_controller, chunk) {
    this.#bytes += chunk.length
    if (this.#status !== 200 && this.#errorText.length < ERROR_TEXT_LENGTH_MAX) this.#errorText += chunk
  }

  onResponseEnd() {
    if (this.#status === 200) this.#finish(null)
    else this.#finish(`HTTP ${this.#status}: ${this.#errorText.slice(0, ERROR_TEXT_LENGTH_MAX)}`)
  }

  onResponseError(_controller, error) {
    this.#finish(`${error.code ?? error.name}: ${error.message}`)
  }

  #expire() {
    this.#finish(`deadline: no answer within ${this.#deadlineMs} ms`)
    this.#controller?.abort(new Error('deadline'))
  }

  #finish(failure) {
    const onDone = this.#onDone
    if (onDone === undefined) return
    this.#onDone = undefined
    clearTimeout(this.#timer)
    onDone(this.#call, failure, this.#bytes)
  }
}
