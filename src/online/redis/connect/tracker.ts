/**
 * Hears from one node which keys changed: a connection with CLIENT TRACKING in broadcast mode, redirected to itself.
 *
 * In RESP2 invalidations come as messages of a channel. The connection that gets them is the one that tracks, so its loss
 * is its own news: a tracking data connection would not be told that its separate subscriber is gone. What was missed while
 * it was away is unknown, so `all` is reported at once, and again when tracking is on: what was read in between may have
 * changed unheard.
 */
import type { Connection, ConnectionOptions, SubscribableConnection } from './connection.ts'
import type { Heartbeat } from './heartbeat.ts'
import { LinkFault } from './link-fault.ts'
import type { RedisAddress } from './link-options.ts'
import { openConnection } from './open-connection.ts'
import { pauseFor } from './pauses.ts'

export interface TrackerOptions extends ConnectionOptions {
  readonly trackedPrefix: string
  readonly silenceMaxMs: number
  readonly heartbeat: Heartbeat
}

export type Changed = readonly Buffer[] | 'all'

const CHANNEL = '__redis__:invalidate'
const FIRST_PAUSE_MS = 10

export class Tracker {
  /** Resolves when tracking is on, or rejects with why the first attempt failed. */
  readonly started: Promise<void>
  readonly #address: RedisAddress
  readonly #options: TrackerOptions
  readonly #retryMaxMs: number
  readonly #report: (changed: Changed) => void
  #connection: Connection | undefined
  #closed = false
  #reportStart: (error?: Error) => void = () => undefined

  constructor(address: RedisAddress, options: TrackerOptions, retryMaxMs: number, report: (changed: Changed) => void) {
    this.#address = address
    this.#options = options
    this.#retryMaxMs = retryMaxMs
    this.#report = report
    this.started = new Promise((resolve, reject) => {
      this.#reportStart = (error) => (error === undefined ? resolve() : reject(error))
    })
    this.started.catch(() => undefined)
    void this.#keepTracking()
  }

  close(): void {
    this.#closed = true
    this.#connection?.close()
  }

  async #keepTracking(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (!this.#closed) {
      try {
        const connection = await openConnection(this.#address, this.#options)
        this.#connection = connection
        if (this.#closed) connection.close()
        const stopWatching = this.#watchSilence(connection)
        try {
          await this.#track(connection)
          this.#reportStart()
          this.#report('all')
          pauseMs = FIRST_PAUSE_MS
          await connection.ended
        } finally {
          stopWatching()
          connection.close()
        }
        if (!this.#closed) this.#report('all')
      } catch (error) {
        this.#reportStart(error as Error)
      }
      if (this.#closed) return
      await pauseFor(this.#options.clock, pauseMs)
      pauseMs = Math.min(2 * pauseMs, this.#retryMaxMs)
    }
  }

  async #track(connection: SubscribableConnection): Promise<void> {
    const id = await connection.send({ name: 'CLIENT', args: ['ID'] })
    const options = ['REDIRECT', Number(id), 'BCAST', 'PREFIX', this.#options.trackedPrefix]
    await connection.send({ name: 'CLIENT', args: ['TRACKING', 'ON', ...options] })
    await connection.subscribe(CHANNEL, (keys) => this.#report(Array.isArray(keys) ? keys : 'all'))
  }

  /** Pings the connection and ends it when nothing comes back: changes may have been missed for as long. */
  #watchSilence(connection: Connection): () => void {
    const { clock, heartbeat, silenceMaxMs } = this.#options
    let aliveSentAtMs = clock.monotonicMs()
    return heartbeat.each((nowMs) => {
      if (nowMs - aliveSentAtMs > silenceMaxMs) return connection.close()
      connection.send({ name: 'ping', args: [] }).then(
        () => {
          aliveSentAtMs = nowMs
        },
        (error: Error) => {
          if (!(error instanceof LinkFault)) connection.close()
        },
      )
    })
  }
}
