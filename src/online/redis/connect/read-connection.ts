/**
 * A connection for the reads of the serving path, which is where ioredis cost more than the rows (docs/decisions/025): it writes commands
 * that are encoded already and reads replies with `resp-reader.ts`, over a plain or a TLS socket.
 *
 * Commands leave when the function that sends them is through: reads are sent in one go (`serving/send-flights.ts`), and to wait for the
 * end of the turn is to wait for one more look at all sockets. There is no WAIT here, which would block the reads behind it.
 *
 * Rejected: a login by ioredis and its socket taken over. Nothing that ioredis documents lets go of a socket: its parser goes on listening.
 */
import assert from 'node:assert/strict'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { encodeCommand } from '../encode-command.ts'
import { type RedisCommand, type RedisReply, RedisReplyError } from '../redis-link.ts'
import type { Connection, ConnectionOptions, ReplicaWait } from './connection.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress } from './link-options.ts'
import { ReadSlab } from './read-slab.ts'
import { RespReader } from './resp-reader.ts'

/** After so long without traffic the kernel looks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS = 30_000

/** A command whose reply is to come. */
interface Awaited {
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: Error) => void
}

export class ReadConnection implements Connection {
  readonly node: string
  readonly connected: Promise<void>
  readonly ended: Promise<LinkFault>
  readonly #socket: Socket
  readonly #clock: ConnectionOptions['clock']
  /** In the order in which Redis answers them. */
  readonly #awaited: Awaited[] = []
  #fault: LinkFault | undefined
  #reportEnd: (fault: LinkFault) => void = () => undefined
  #corked = false
  #progressAtMs = 0

  constructor(address: RedisAddress, options: ConnectionOptions) {
    this.node = addressName(address)
    this.#clock = options.clock
    this.ended = new Promise((resolve) => {
      this.#reportEnd = resolve
    })
    const reader = new RespReader({
      reply: (reply) => this.#next()?.resolve(reply),
      error: (message) => this.#next()?.reject(new RedisReplyError(message, this.node)),
    })
    this.#socket = openSocket(address, options, (piece) => this.#read(reader, piece))
    this.connected = new Promise((resolve, reject) => {
      this.#socket.once(options.location.tls ? 'secureConnect' : 'connect', resolve)
      this.ended.then(reject)
    })
    this.#socket.on('error', (error) => this.#end('lost', `connection to ${this.node}: ${error.message}`))
    this.#socket.on('close', () => this.#end('lost', `${this.node} closed the connection`))
  }

  send({ name, args, encoded }: RedisCommand, wait?: ReplicaWait): Promise<RedisReply> {
    assert(wait === undefined, 'what waits for replicas is not sent by a connection for reads')
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    this.#cork()
    if (this.#awaited.length === 0) this.#progressAtMs = this.#clock.monotonicMs()
    this.#socket.write(encoded ?? encodeCommand(name, args))
    return new Promise((resolve, reject) => {
      this.#awaited.push({ resolve, reject })
    })
  }

  stuckMs(nowMs: number): number {
    return this.#awaited.length === 0 ? 0 : nowMs - this.#progressAtMs
  }

  close(): void {
    this.#end('closed', `the connection to ${this.node} was closed by this process`)
    this.#socket.destroy()
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  #read(reader: RespReader, piece: Buffer): void {
    this.#progressAtMs = this.#clock.monotonicMs()
    try {
      reader.read(piece)
    } catch (error) {
      this.#fail(`what it says is not a reply of Redis: ${(error as Error).message}`)
    }
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

function openSocket(
  { host, port }: RedisAddress,
  { location, tlsCa }: ConnectionOptions,
  onPiece: (piece: Buffer) => void,
): Socket {
  const options = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS }
  if (location.tls) return connectTls({ ...options, ...(tlsCa === undefined ? {} : { ca: tlsCa }) }).on('data', onPiece)
  const slab = new ReadSlab()
  const callback = (bytes: number): boolean => {
    onPiece(slab.take(bytes))
    return true
  }
  return connectPlain({ ...options, onread: { buffer: () => slab.room(), callback } })
}
