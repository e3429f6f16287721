/**
 * A connection for any command: the checks at the start, scripts and writes, WAIT, and news of changed keys. Reads have their own.
 *
 * ioredis speaks the protocol here and does nothing by itself: its reconnecting, queueing and repeating are off, which `connection.ts`
 * gives the reason for.
 *
 * Commands of one turn of the event loop leave in one write: the first corks the socket, `setImmediate` uncorks it. One
 * WAIT goes behind them for all that want replicas.
 */
import { Command, Redis } from 'ioredis'
import { type RedisCommand, type RedisReply, RedisReplyError } from '../redis-link.ts'
import type { ConnectionOptions, ReplicaWait, SubscribableConnection } from './connection.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress } from './link-options.ts'

/** RESP2, because version 6 of ioredis drops invalidation messages in RESP3. Whoever opens the connection has the limit. */
const NOTHING_BY_ITSELF = {
  protocol: 2,
  lazyConnect: true,
  connectTimeout: 0,
  enableReadyCheck: false,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  retryStrategy: null,
  disableClientInfo: true,
} as const

const BUFFERS = { replyEncoding: null } as const

/** One whose bytes are there: ioredis would make them from arguments one by one. */
class EncodedCommand extends Command {
  readonly #bytes: Buffer

  constructor(name: string, bytes: Buffer) {
    super(name, [], BUFFERS)
    this.#bytes = bytes
  }

  override toWritable(): Buffer {
    return this.#bytes
  }
}

interface TurnWait {
  count: number
  timeoutMs: number
  readonly resolve: (replicas: number) => void
  readonly reject: (error: unknown) => void
  readonly replicas: Promise<number>
}

export class IoredisConnection implements SubscribableConnection {
  readonly node: string
  readonly connected: Promise<void>
  readonly ended: Promise<LinkFault>
  readonly #redis: Redis
  readonly #clock: ConnectionOptions['clock']
  #fault: LinkFault | undefined
  #reportEnd: (fault: LinkFault) => void = () => undefined
  #corked = false
  #turnWait: TurnWait | undefined
  #pending = 0
  #progressAtMs = 0
  #waitsPending = 0
  #longestWaitMs = 0

  constructor(address: RedisAddress, { location, tlsCa, clock }: ConnectionOptions) {
    this.node = addressName(address)
    this.#clock = clock
    this.ended = new Promise((resolve) => {
      this.#reportEnd = resolve
    })
    const tls = location.tls ? { tls: tlsCa === undefined ? {} : { ca: tlsCa } } : {}
    this.#redis = new Redis({ host: address.host, port: address.port, ...tls, ...NOTHING_BY_ITSELF })
    this.#redis.on('error', (error: Error) => this.#end('lost', `connection to ${this.node}: ${error.message}`))
    this.#redis.on('end', () => this.#end('lost', `${this.node} closed the connection`))
    this.connected = this.#connect()
  }

  send(command: RedisCommand, wait?: ReplicaWait): Promise<RedisReply> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    this.#cork()
    const written = this.#write(command)
    return wait === undefined ? written : this.#replicated(written, wait)
  }

  subscribe(channel: string, onMessage: (payload: unknown) => void): Promise<unknown> {
    this.#redis.on('messageBuffer', (_channel: Buffer, payload: unknown) => onMessage(payload))
    return this.#counted(this.#redis.subscribe(channel))
  }

  stuckMs(nowMs: number): number {
    return this.#pending === 0 ? 0 : nowMs - this.#progressAtMs - this.#longestWaitMs
  }

  close(): void {
    this.#end('closed', `the connection to ${this.node} was closed by this process`)
    // Not only `disconnect`: it says goodbye and waits, which a node that hangs does not answer.
    this.#redis.disconnect()
    this.#redis.stream?.destroy()
  }

  async #connect(): Promise<void> {
    const connecting = this.#redis.connect().catch((error: Error) => this.#end('lost', error.message))
    await Promise.race([connecting, this.ended])
    if (this.#fault !== undefined) throw this.#fault
    // A reply that comes in pieces is progress before it is there.
    this.#redis.stream.on('data', () => {
      this.#progressAtMs = this.#clock.monotonicMs()
    })
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    const stream = this.#redis.stream
    stream.cork()
    setImmediate(() => {
      this.#corked = false
      this.#sendWait()
      stream.uncork()
    })
  }

  #write({ name, args, encoded }: RedisCommand): Promise<RedisReply> {
    const command =
      encoded === undefined
        ? new Command(name, args as (string | Buffer | number)[], BUFFERS)
        : new EncodedCommand(name, encoded)
    return this.#counted(this.#redis.sendCommand(command) as Promise<RedisReply>)
  }

  async #replicated(written: Promise<RedisReply>, wait: ReplicaWait): Promise<RedisReply> {
    const [reply, replicas] = await Promise.all([written, this.#joinWait(wait)])
    if (replicas >= wait.count) return reply
    throw new LinkFault(
      'replicas',
      `${this.node}: ${replicas} of ${wait.count} replicas (redis-wait-replicas) have the write after ${wait.timeoutMs} ms (redis-wait-timeout)`,
    )
  }

  #joinWait({ count, timeoutMs }: ReplicaWait): Promise<number> {
    const joined = this.#turnWait
    if (joined !== undefined) {
      joined.count = Math.max(joined.count, count)
      joined.timeoutMs = Math.max(joined.timeoutMs, timeoutMs)
      return joined.replicas
    }
    let settle: Pick<TurnWait, 'resolve' | 'reject'> | undefined
    const replicas = new Promise<number>((resolve, reject) => {
      settle = { resolve, reject }
    })
    this.#turnWait = { count, timeoutMs, ...settle!, replicas }
    return replicas
  }

  #sendWait(): void {
    const wait = this.#turnWait
    if (wait === undefined) return
    this.#turnWait = undefined
    this.#waitsPending += 1
    this.#longestWaitMs = Math.max(this.#longestWaitMs, wait.timeoutMs)
    this.#write({ name: 'WAIT', args: [wait.count, wait.timeoutMs] })
      .finally(() => {
        this.#waitsPending -= 1
        if (this.#waitsPending === 0) this.#longestWaitMs = 0
      })
      .then((reply) => wait.resolve(Number(reply)), wait.reject)
  }

  #counted<Reply>(reply: Promise<Reply>): Promise<Reply> {
    if (this.#pending === 0) this.#progressAtMs = this.#clock.monotonicMs()
    this.#pending += 1
    return reply.then(
      (value) => {
        this.#pending -= 1
        return value
      },
      ({ name, message }: Error) => {
        this.#pending -= 1
        if (name === 'ReplyError') throw new RedisReplyError(message, this.node)
        throw this.#fault ?? new LinkFault('lost', `connection to ${this.node}: ${message}`)
      },
    )
  }

  #end(kind: 'lost' | 'closed', message: string): void {
    if (this.#fault !== undefined) return
    this.#fault = new LinkFault(kind, message)
    this.#reportEnd(this.#fault)
  }
}
