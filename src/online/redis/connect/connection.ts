/**
 * One connection to one node, used once: when it ends, its commands reject, and whoever needs another opens one.
 *
 * Nothing is repeated here, because a command whose fate is unknown must not be run again by anyone but the router, which knows
 * whether that does harm. The protocol is RESP2 and ours (`resp-reader.ts`): of what a client library does, reconnecting, queueing and
 * repeating would have to be off, and what is left cost a read of a hundred rows more than the rows (docs/decisions/025).
 *
 * Commands of one turn of the event loop leave in one write: the first corks the socket, `setImmediate` uncorks it. One
 * WAIT goes behind them for all that want replicas. Commands of a connection for reads leave when the function that sends them is
 * through: reads are sent in one go (`serving/send-flights.ts`), and to wait for the end of the turn is to wait for one more look at all sockets.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../../../lib/clock.ts'
import { encodeCommand } from '../encode-command.ts'
import { type RedisCommand, type RedisReply, RedisReplyError } from '../redis-link.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress, type RedisLocation } from './link-options.ts'
import { RespReader } from './resp-reader.ts'

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

/** What a connection is for: anything, reads, or reads that a replica may answer (it says READONLY then). */
export type ConnectionUse = 'any' | 'reads' | 'lagging-reads'

/** Logged in and answering; rejects with `RedisReplyError` (login, database) or `LinkFault`. */
export async function openConnection(
  address: RedisAddress,
  options: ConnectionOptions,
  use: ConnectionUse = 'any',
): Promise<Connection> {
  const connection = new Connection(address, options, use)
  try {
    await connection.login()
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** After so long without traffic the kernel looks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS = 30_000
const MESSAGE = Buffer.from('message')

/** A command whose reply is to come. */
interface Awaited {
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: Error) => void
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
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #use: ConnectionUse
  readonly #connected: Promise<void>
  /** In the order in which Redis answers them. */
  readonly #awaited: Awaited[] = []
  #fault: LinkFault | undefined
  #reportEnd: (fault: LinkFault) => void = () => undefined
  #onMessage: ((payload: unknown) => void) | undefined
  #corked = false
  #turnWait: TurnWait | undefined
  #progressAtMs = 0
  #waitsPending = 0
  #longestWaitMs = 0

  constructor(address: RedisAddress, options: ConnectionOptions, use: ConnectionUse) {
    this.node = addressName(address)
    this.#options = options
    this.#use = use
    this.ended = new Promise((resolve) => {
      this.#reportEnd = resolve
    })
    this.#socket = openSocket(address, options)
    this.#connected = new Promise((resolve) => {
      this.#socket.once(options.location.tls ? 'secureConnect' : 'connect', resolve)
    })
    this.#socket.on('error', (error) => this.#end('lost', `connection to ${this.node}: ${error.message}`))
    this.#socket.on('close', () => this.#end('lost', `${this.node} closed the connection`))
    const reader = new RespReader({
      reply: (reply) => this.#take(reply),
      error: (message) => this.#next()?.reject(new RedisReplyError(message, this.node)),
    })
    this.#socket.on('data', (piece) => this.#read(reader, piece))
  }

  async login(): Promise<void> {
    const { location, connectTimeoutMs, clock } = this.#options
    // A paused node still accepts connections, its kernel does that: the limit is on the first answer.
    const timer = clock.after(connectTimeoutMs, () => {
      this.#end('lost', `${this.node} did not answer within ${connectTimeoutMs} ms (redis-connect-timeout)`)
      this.close()
    })
    try {
      await Promise.race([this.#connected, this.ended])
      if (this.#fault !== undefined) throw this.#fault
      const commands: RedisCommand[] = []
      if (location.password !== undefined) {
        const user = location.username === undefined ? [] : [location.username]
        commands.push({ name: 'AUTH', args: [...user, location.password] })
      }
      if (location.database !== 0) commands.push({ name: 'SELECT', args: [location.database] })
      if (this.#use === 'lagging-reads') commands.push({ name: 'READONLY', args: [] })
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
  send(command: RedisCommand, wait?: ReplicaWait): Promise<RedisReply> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    this.#cork()
    const written = this.#write(command)
    return wait === undefined ? written : this.#replicated(written, wait)
  }

  /** Makes this a connection that gets the messages of a channel; of commands it takes only PING from then on. */
  subscribe(channel: string, onMessage: (payload: unknown) => void): Promise<unknown> {
    this.#onMessage = onMessage
    return this.send({ name: 'SUBSCRIBE', args: [channel] })
  }

  /** How long nothing has arrived though something was asked, less what a WAIT may take by right. */
  stuckMs(nowMs: number): number {
    return this.#awaited.length === 0 ? 0 : nowMs - this.#progressAtMs - this.#longestWaitMs
  }

  close(): void {
    this.#end('closed', `the connection to ${this.node} was closed by this process`)
    this.#socket.destroy()
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    const leave = (): void => {
      this.#corked = false
      this.#sendWait()
      this.#socket.uncork()
    }
    if (this.#use === 'any') setImmediate(leave)
    else process.nextTick(leave)
  }

  #write({ name, args, encoded }: RedisCommand): Promise<RedisReply> {
    if (this.#awaited.length === 0) this.#progressAtMs = this.#options.clock.monotonicMs()
    this.#socket.write(encoded ?? encodeCommand(name, args))
    return new Promise((resolve, reject) => {
      this.#awaited.push({ resolve, reject })
    })
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

  #read(reader: RespReader, piece: Buffer): void {
    this.#progressAtMs = this.#options.clock.monotonicMs()
    try {
      reader.read(piece)
    } catch (error) {
      this.#fail(`what it says is not a reply of Redis: ${(error as Error).message}`)
    }
  }

  #take(reply: RedisReply): void {
    if (this.#onMessage !== undefined && isMessage(reply)) this.#onMessage(reply[2])
    else this.#next()?.resolve(reply)
  }

  #next(): Awaited | undefined {
    const awaited = this.#awaited.shift()
    if (awaited === undefined) this.#fail('it replies though nothing was asked')
    return awaited
  }

  #fail(problem: string): void {
    this.#end('lost', `connection to ${this.node}: ${problem}`)
    this.#socket.destroy()
  }

  #end(kind: 'lost' | 'closed', message: string): void {
    if (this.#fault !== undefined) return
    this.#fault = new LinkFault(kind, message)
    for (const { reject } of this.#awaited.splice(0)) reject(this.#fault)
    this.#reportEnd(this.#fault)
  }
}

function openSocket({ host, port }: RedisAddress, { location, tlsCa }: ConnectionOptions): Socket {
  const options = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS }
  if (!location.tls) return connectPlain(options)
  return connectTls({ ...options, ...(tlsCa === undefined ? {} : { ca: tlsCa }) })
}

/** In RESP2 the messages of a channel come among the replies. */
function isMessage(reply: RedisReply): reply is readonly RedisReply[] {
  if (!Array.isArray(reply)) return false
  const [kind] = reply as readonly RedisReply[]
  return Buffer.isBuffer(kind) && kind.equals(MESSAGE)
}
