/**
 * One connection to one node, used once: when it ends, its commands reject, and whoever needs another opens one.
 *
 * ioredis speaks the protocol here and does nothing by itself: its reconnecting, queueing and repeating are off, because a
 * command whose fate is unknown must not be run again by anyone but the router, which knows whether that does harm. The
 * login is ours too: ioredis prints a warning and goes on when a password is refused as superfluous.
 *
 * Commands of one turn of the event loop leave in one write: the first corks the socket, `setImmediate` uncorks it. One
 * WAIT goes behind them for all that want replicas.
 */
import { Command, Redis } from 'ioredis'
import type { Clock } from '../../../lib/clock.ts'
import { type RedisCommand, type RedisReply, RedisReplyError } from '../redis-link.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress, type RedisLocation } from './link-options.ts'

export interface ConnectionOptions {
  readonly location: RedisLocation
  /** Certificates to trust, PEM; undefined: the system's. */
  readonly tlsCa: Buffer | undefined
  readonly connectTimeoutMs: number
  readonly clock: Clock
}

export interface ReplicaWait {
  readonly count: number
  readonly timeoutMs: number
}

/** Logged in and answering; rejects with `RedisReplyError` (login, database) or `LinkFault`. */
export async function openConnection(
  address: RedisAddress,
  options: ConnectionOptions,
  mode: 'plain' | 'readonly' = 'plain',
): Promise<Connection> {
  const connection = new Connection(address, options)
  try {
    await connection.login(mode === 'readonly')
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** RESP2, because version 6 of ioredis drops invalidation messages in RESP3. */
const NOTHING_BY_ITSELF = {
  protocol: 2,
  lazyConnect: true,
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

export class Connection {
  readonly node: string
  /** Resolves when the connection has ended, with why. */
  readonly ended: Promise<LinkFault>
  readonly #redis: Redis
  readonly #options: ConnectionOptions
  #fault: LinkFault | undefined
  #reportEnd: (fault: LinkFault) => void = () => undefined
  #corked = false
  #turnWait: TurnWait | undefined
  #pending = 0
  #progressAtMs = 0
  #waitsPending = 0
  #longestWaitMs = 0

  constructor(address: RedisAddress, options: ConnectionOptions) {
    this.node = addressName(address)
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#reportEnd = resolve
    })
    const tls = options.location.tls ? { tls: options.tlsCa === undefined ? {} : { ca: options.tlsCa } } : {}
    this.#redis = new Redis({ host: address.host, port: address.port, ...tls, ...NOTHING_BY_ITSELF })
    this.#redis.on('error', (error: Error) => this.#end('lost', `connection to ${this.node}: ${error.message}`))
    this.#redis.on('end', () => this.#end('lost', `${this.node} closed the connection`))
  }

  async login(readOnly: boolean): Promise<void> {
    const { location, connectTimeoutMs, clock } = this.#options
    // A paused node still accepts connections, its kernel does that: the limit is on the first answer.
    const timer = clock.after(connectTimeoutMs, () => {
      this.#end('lost', `${this.node} did not answer within ${connectTimeoutMs} ms (redis-connect-timeout)`)
      this.close()
    })
    try {
      const connected = this.#redis.connect().catch((error: Error) => this.#end('lost', error.message))
      await Promise.race([connected, this.ended])
      if (this.#fault !== undefined) throw this.#fault
      const commands: RedisCommand[] = []
      if (location.password !== undefined) {
        const user = location.username === undefined ? [] : [location.username]
        commands.push({ name: 'AUTH', args: [...user, location.password] })
      }
      if (location.database !== 0) commands.push({ name: 'SELECT', args: [location.database] })
      if (readOnly) commands.push({ name: 'READONLY', args: [] })
      commands.push({ name: 'PING', args: [] })
      const replies = await Promise.allSettled(commands.map((command) => this.send(command)))
      for (const reply of replies) if (reply.status === 'rejected') throw reply.reason
    } finally {
      timer.cancel()
    }
  }

  /**
   * Resolves with the reply, and not before `wait.count` replicas have what this connection has written. Rejects with
   * `RedisReplyError` or `LinkFault`.
   */
  async send(command: RedisCommand, wait?: ReplicaWait): Promise<RedisReply> {
    if (this.#fault !== undefined) throw this.#fault
    this.#cork()
    const written = this.#write(command)
    if (wait === undefined) return written
    const [reply, replicas] = await Promise.all([written, this.#joinWait(wait)])
    if (replicas >= wait.count) return reply
    throw new LinkFault(
      'replicas',
      `${this.node}: ${replicas} of ${wait.count} replicas (redis-wait-replicas) have the write after ${wait.timeoutMs} ms (redis-wait-timeout)`,
    )
  }

  /** Makes this a connection that gets the messages of a channel; of commands it takes only PING from then on. */
  subscribe(channel: string, onMessage: (payload: unknown) => void): Promise<unknown> {
    this.#redis.on('messageBuffer', (_channel: Buffer, payload: unknown) => onMessage(payload))
    return this.#counted(this.#redis.subscribe(channel))
  }

  /** How long nothing has arrived though something was asked, less what a WAIT may take by right. */
  stuckMs(nowMs: number): number {
    return this.#pending === 0 ? 0 : nowMs - this.#progressAtMs - this.#longestWaitMs
  }

  close(): void {
    this.#end('closed', `the connection to ${this.node} was closed by this process`)
    // Not only `disconnect`: it says goodbye and waits, which a node that hangs does not answer.
    this.#redis.disconnect()
    this.#redis.stream?.destroy()
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

  async #counted<T>(reply: Promise<T>): Promise<T> {
    if (this.#pending === 0) this.#progressAtMs = this.#options.clock.monotonicMs()
    this.#pending += 1
    try {
      return await reply
    } catch (error) {
      const { name, message } = error as Error
      if (name === 'ReplyError') throw new RedisReplyError(message, this.node)
      throw this.#fault ?? new LinkFault('lost', `connection to ${this.node}: ${message}`)
    } finally {
      this.#pending -= 1
      this.#progressAtMs = this.#options.clock.monotonicMs()
    }
  }

  #end(kind: 'lost' | 'closed', message: string): void {
    if (this.#fault !== undefined) return
    this.#fault = new LinkFault(kind, message)
    this.#reportEnd(this.#fault)
  }
}
