/** Channels to one server, and calls of bytes over them with deadlines, retries and mapped errors. */
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type CallOptions as GrpcCallOptions,
  Metadata,
} from '@grpc/grpc-js'
import { TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import { callError } from './call-error.ts'
import type { MethodPath } from './protocol.ts'
import { RetryBudget, withRetries } from './retry.ts'
import { type ChannelSecurity, channelSecurity, type TlsOptions } from './tls.ts'

export interface TransportOptions {
  /** HTTP/2 connections that calls are spread over. */
  readonly channels: number
  /** The deadline of a call that names none; streams have none unless they name one. */
  readonly deadlineMs: number
  /** Attempts of a call in all, when the server is unavailable. */
  readonly attemptsMax: number
  /** The longest first pause before a retry; it doubles. */
  readonly backoffMs: number
  /** The largest answer taken, bytes. */
  readonly messageBytesMax: number
  /** Whether and how the connection is encrypted; `true` trusts whom Node trusts. */
  readonly tls: TlsOptions | boolean
}

const DEFAULTS: TransportOptions = {
  channels: 1,
  deadlineMs: 10_000,
  attemptsMax: 4,
  backoffMs: 50,
  messageBytesMax: 64 * 1024 * 1024,
  tls: false,
}

export interface CallOptions {
  readonly deadlineMs?: number
}

/**
 * Broken data sets are asked for again more patiently than single answers: a server that restarts is back within half a minute,
 * and what it made may have taken much longer. Pauses of up to 0.5, 1, 2, ... 32 s; a budget of their own allows ten failures in
 * a row, and every hundred chunks that arrive pay back for ten.
 */
const RESUME = { attemptsMax: 8, backoffMs: 500 }
const RESUME_TOKENS = 20

export type ReadCall = ClientReadableStream<Buffer>
export type DuplexCall = ClientDuplexStream<Buffer, Buffer>

export class Transport {
  readonly address: string
  readonly #options: TransportOptions
  readonly #clock: Clock
  readonly #security: ChannelSecurity
  readonly #clients: readonly Client[]
  readonly #budget = new RetryBudget()
  readonly #resumeBudget = new RetryBudget(RESUME_TOKENS)
  #turn = 0
  #closed = false

  constructor(address: string, options: Partial<TransportOptions>, clock: Clock) {
    this.address = address
    this.#options = { ...DEFAULTS, ...options }
    this.#clock = clock
    this.#security = channelSecurity(this.#options.tls)
    this.#clients = Array.from({ length: this.#options.channels }, () => this.#open())
  }

  /** One request, one answer. Retried while the server is unavailable: the request must be safe to make again. */
  async unary(path: MethodPath, request: Buffer, options: CallOptions = {}): Promise<Buffer> {
    const deadline = this.#nowMs() + (options.deadlineMs ?? this.#options.deadlineMs)
    return withRetries(
      () => this.#once(path, request, deadline),
      this.#options,
      this.#budget,
      () => deadline - this.#nowMs(),
    )
  }

  serverStream(path: MethodPath, request: Buffer, options: CallOptions = {}): ReadCall {
    return this.#client().makeServerStreamRequest(
      path,
      passThrough,
      passThrough,
      request,
      new Metadata(),
      this.#streamOptions(options),
    )
  }

  duplex(path: MethodPath, options: CallOptions = {}): DuplexCall {
    return this.#client().makeBidiStreamRequest(
      path,
      passThrough,
      passThrough,
      new Metadata(),
      this.#streamOptions(options),
    )
  }

  /** What is left of the deadline whenever it is called: for work that takes several calls. */
  remaining({ deadlineMs }: CallOptions): () => CallOptions {
    if (deadlineMs === undefined) return () => ({})
    const untilMs = this.#nowMs() + deadlineMs
    return () => ({ deadlineMs: Math.max(1, untilMs - this.#nowMs()) })
  }

  /** Tries again while the server is unavailable, as `unary` does. */
  retrying<T>(attempt: () => Promise<T>, left: () => CallOptions): Promise<T> {
    return withRetries(attempt, this.#options, this.#budget, () => left().deadlineMs ?? Number.POSITIVE_INFINITY)
  }

  /** Begins again what broke with `error`, which is thrown when there were too many breaks with too little between them. */
  afterBreak<T>(error: TwinstoreError, attempt: () => Promise<T>, left: () => CallOptions): Promise<T> {
    this.#resumeBudget.failed()
    if (!this.#resumeBudget.allowsRetry) return Promise.reject(error)
    return withRetries(attempt, RESUME, this.#resumeBudget, () => left().deadlineMs ?? Number.POSITIVE_INFINITY)
  }

  /** A piece of a data set has arrived. */
  progressed(): void {
    this.#resumeBudget.succeeded()
  }

  error(error: unknown): TwinstoreError {
    return callError(error, { address: this.address, security: this.#security.security })
  }

  /** Calls under way end by themselves; later ones are refused. */
  close(): void {
    this.#closed = true
    for (const client of this.#clients) client.close()
  }

  #once(path: MethodPath, request: Buffer, deadline: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client().makeUnaryRequest(
        path,
        passThrough,
        passThrough,
        request,
        new Metadata(),
        { deadline },
        (error, answer) => {
          if (error === null) resolve(answer!)
          else reject(this.error(error))
        },
      )
    })
  }

  #streamOptions(options: CallOptions): GrpcCallOptions {
    return options.deadlineMs === undefined ? {} : { deadline: this.#nowMs() + options.deadlineMs }
  }

  #nowMs(): number {
    return this.#clock.nowMicros() / 1000
  }

  #client(): Client {
    if (this.#closed) throw new TwinstoreError('FAILED_PRECONDITION', 'the client is closed; connect again')
    this.#turn = (this.#turn + 1) % this.#clients.length
    return this.#clients[this.#turn]!
  }

  /** Without a pool of its own a channel would share one connection with all others to the same address. */
  #open(): Client {
    const { credentials, options } = this.#security
    return new Client(this.address, credentials, {
      ...options,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': this.#options.messageBytesMax,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
    })
  }
}

function passThrough(bytes: Buffer): Buffer {
  return bytes
}
