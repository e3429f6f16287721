/** Whether the peer of a connection is still there and does its part in time; told of what happens, asked every second or so. */
import { ConnectionFault, ERROR } from './protocol.ts'

/** Milliseconds; infinite where there is no limit. */
export interface ConnectionTimes {
  /** From the beginning until the client's preface and SETTINGS have come. */
  readonly handshakeMs: number
  /** From the first byte of a frame, or of a header block, to its last. */
  readonly frameMs: number
  /** How long a stream, or the socket, may take nothing of what waits for it. */
  readonly stallMs: number
  /** Silence after which the peer is pinged, and how long its answer may take. */
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
  /** Without a stream for so long, the connection is ended. */
  readonly idleMs: number
  /** After so long the connection is ended, streams under way having `graceMs` to finish. */
  readonly ageMs: number
  readonly graceMs: number
}

const QUIET_MS = 1000

export class Liveness {
  readonly #times: ConnectionTimes
  readonly #beganMs: number
  #hasGreeted = false
  #heardMs: number
  #pingSentMs: number | undefined
  /** Since when a frame, and a header block, has begun and not ended. */
  #frameBeganMs: number | undefined
  #blockBeganMs: number | undefined
  /** Since when bytes that were taken from the output have not left. */
  #sendingMs: number | undefined
  #idleSinceMs: number

  constructor(times: ConnectionTimes, nowMs: number) {
    this.#times = times
    this.#beganMs = nowMs
    this.#heardMs = nowMs
    this.#idleSinceMs = nowMs
  }

  greeted(): void {
    this.#hasGreeted = true
  }

  /** After each chunk: what of it is not whole. */
  received(isWithinFrame: boolean, isWithinBlock: boolean, nowMs: number): void {
    this.#heardMs = nowMs
    this.#frameBeganMs = isWithinFrame ? (this.#frameBeganMs ?? nowMs) : undefined
    this.#blockBeganMs = isWithinBlock ? (this.#blockBeganMs ?? nowMs) : undefined
  }

  pingAnswered(): void {
    this.#pingSentMs = undefined
  }

  sending(nowMs: number): void {
    this.#sendingMs ??= nowMs
  }

  sent(): void {
    this.#sendingMs = undefined
  }

  /** The peer reads nothing of what is sent to it. */
  isStuck(nowMs: number): boolean {
    return isOver(this.#sendingMs, this.#times.stallMs, nowMs)
  }

  /** Nothing has come for a while. */
  isQuiet(nowMs: number): boolean {
    return nowMs - this.#heardMs > QUIET_MS
  }

  /** It has lived long enough, or has had no stream for long enough. */
  isDue(hasStreams: boolean, nowMs: number): boolean {
    if (hasStreams) this.#idleSinceMs = nowMs
    return isOver(this.#beganMs, this.#times.ageMs, nowMs) || isOver(this.#idleSinceMs, this.#times.idleMs, nowMs)
  }

  /** Whether the peer is to be pinged now. A `ConnectionFault` for a peer that is late, or gone. */
  check(nowMs: number): boolean {
    const { handshakeMs, frameMs, keepaliveMs, keepaliveTimeoutMs } = this.#times
    if (!this.#hasGreeted && isOver(this.#beganMs, handshakeMs, nowMs)) {
      throw new ConnectionFault(
        ERROR.settingsTimeout,
        'preface and SETTINGS did not come in time',
        'http2-handshake-timeout',
      )
    }
    if (isOver(this.#frameBeganMs, frameMs, nowMs))
      throw slow('a frame did not come to its end in time', 'http2-frame-timeout')
    if (isOver(this.#blockBeganMs, frameMs, nowMs)) {
      throw slow('a header block did not come to its end in time', 'http2-frame-timeout')
    }
    if (this.isStuck(nowMs)) throw slow('the peer reads nothing of what is sent to it', 'http2-stall-timeout')
    if (this.#pingSentMs !== undefined && this.#heardMs > this.#pingSentMs) this.#pingSentMs = undefined
    if (isOver(this.#pingSentMs, keepaliveTimeoutMs, nowMs)) {
      throw new ConnectionFault(ERROR.noError, 'a keepalive ping was not answered', 'grpc-keepalive-timeout')
    }
    if (this.#pingSentMs !== undefined || !isOver(this.#heardMs, keepaliveMs, nowMs)) return false
    this.#pingSentMs = nowMs
    return true
  }
}

function isOver(sinceMs: number | undefined, limitMs: number, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs > limitMs
}

function slow(problem: string, option: string): ConnectionFault {
  return new ConnectionFault(ERROR.enhanceYourCalm, problem, option)
}
