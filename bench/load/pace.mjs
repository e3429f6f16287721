/**
 * When the calls of an open loop are due. The schedule is made without looking at the answers: what is late is sent as soon as
 * it can be, nothing is left out, and its latency counts from when it was due.
 */
import { seededRandom } from './seeded-random.mjs'

/** Milliseconds from the beginning to each call, in order. */
export function* arrivals({ perSecond, arrivals: kind, seed }) {
  if (!(perSecond > 0)) throw new Error(`an open loop of ${perSecond} calls a second`)
  if (kind === 'constant') {
    for (let count = 0; ; count++) yield (count * 1000) / perSecond
  }
  if (kind !== 'poisson') throw new Error(`no arrivals ${kind}; there are constant and poisson`)
  const random = seededRandom(seed, 'arrivals')
  for (let at = 0; ; ) {
    // The logarithm of 0 is not among these: `random` is below 1.
    at -= (Math.log(1 - random()) * 1000) / perSecond
    yield at
  }
}

/** Sends what is due: `send(dueMs)`, for each call whose time has come and which is due before `endMs`. */
export class Schedule {
  #arrivals
  #send
  #endMs
  #nextMs

  constructor(pace, endMs, send) {
    this.#arrivals = arrivals(pace)
    this.#send = send
    this.#endMs = endMs
    this.#nextMs = this.#arrivals.next().value
  }

  /** Gives when the next one is due, or undefined when there is none. Times count from the beginning. */
  run(nowMs) {
    while (this.#nextMs <= nowMs && this.#nextMs < this.#endMs) {
      this.#send(this.#nextMs)
      this.#nextMs = this.#arrivals.next().value
    }
    return this.#nextMs < this.#endMs ? this.#nextMs : undefined
  }
}
