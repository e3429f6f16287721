/**
 * Requests to one store: at most so many at a time, each within its time, tried again after growing random pauses where that
 * can help.
 *
 * The SDK's own retries are off. It cannot tell that an earlier attempt may have landed, which is what a put-if-absent has
 * to know, and it begins a body that broke midway from its start.
 */
import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Clock } from '../../../lib/clock.ts'
import { pause } from '../../../lib/pause.ts'
import { createSlots, type Slots } from '../../../lib/slots.ts'
import { BrokenAnswer, type S3Place, s3Error, s3Fault } from './s3-fault.ts'

export interface S3RequestLimits {
  /** Requests at a time, option `s3-connections-max`. */
  readonly connectionsMax: number
  /** How long an answer may take to begin, and a body to go on (option `s3-request-timeout`). */
  readonly requestTimeoutMs: number
  /** Attempts of one request, option `s3-attempts-max`. */
  readonly attemptsMax: number
  /** Pauses between attempts grow from the first to the second (options `s3-retry-min` and `s3-retry-max`). */
  readonly retryMinMs: number
  readonly retryMaxMs: number
}

export interface S3RequestsOptions {
  readonly client: S3Client
  readonly place: S3Place
  /** How people name the store. */
  readonly location: string
  readonly limits: S3RequestLimits
  readonly clock: Clock
  /** 0 to 1. */
  readonly random: () => number
}

/** A body that is sent may take the request's time once more for each of so many bytes: 100 KiB/s at 10 s. */
const BYTES_PER_TIMEOUT = 2 ** 20

export class S3Requests {
  private readonly options: S3RequestsOptions
  private readonly slots: Slots
  private retried = 0

  constructor(options: S3RequestsOptions) {
    this.options = options
    this.slots = createSlots(options.limits.connectionsMax)
  }

  /**
   * What `attempt` gives at last, which sends by `answer` and reads by `readBody`. Rejects with a `TwinstoreError` that
   * names `path`; one that `attempt` throws itself ends the tries.
   */
  async retrying<T>(path: string, attempt: () => Promise<T>): Promise<T> {
    const { place, location, limits } = this.options
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.slots.run(attempt)
      } catch (error) {
        if (attempts >= limits.attemptsMax || !this.isTransient(error))
          throw s3Error(error, place, location, path, attempts)
        this.retried++
        await pause(this.pauseMs(attempts))
      }
    }
  }

  /** One request's answer, or a fault once its time is over. `bodyBytes`: how much is sent. */
  async answer<T>(
    send: (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
    bodyBytes = 0,
  ): Promise<T> {
    const { client, clock, limits } = this.options
    const controller = new AbortController()
    let timer: { cancel(): void } | undefined
    // A race, because the SDK does not heed the signal while it looks for credentials.
    const late = new Promise<never>((_, reject) => {
      timer = clock.after(limits.requestTimeoutMs * (1 + bodyBytes / BYTES_PER_TIMEOUT), () => {
        reject(new BrokenAnswer('timeout'))
        controller.abort()
      })
    })
    const answered = send(client, { abortSignal: controller.signal })
    answered.catch(() => undefined)
    try {
      return await Promise.race([answered, late])
    } finally {
      timer?.cancel()
    }
  }

  /** Gives the pieces of a body to `onChunk`, one after the other. A body that stands still for too long is given up. */
  async readBody(body: Readable, onChunk: (chunk: Buffer) => Promise<void> | void): Promise<void> {
    const { clock, limits } = this.options
    let timer: { cancel(): void } | undefined
    const watch = () => {
      timer = clock.after(limits.requestTimeoutMs, () => body.destroy(new BrokenAnswer('timeout')))
    }
    try {
      watch()
      for await (const chunk of body) {
        timer?.cancel()
        await onChunk(chunk as Buffer)
        watch()
      }
    } finally {
      timer?.cancel()
      body.destroy()
    }
  }

  /** Attempts beyond the first of each request. */
  get retries(): number {
    return this.retried
  }

  isTransient(error: unknown): boolean {
    return s3Fault(error, this.options.place).isTransient
  }

  /** Random, so that instances that failed together do not come back together. */
  private pauseMs(attempts: number): number {
    const { limits, random } = this.options
    const longest = Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** (attempts - 1))
    return Math.ceil((longest / 2) * (1 + random()))
  }
}

/** By S3's name for the error. */
export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name
}
