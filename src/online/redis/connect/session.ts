/**
 * A time of trust with one node: its connections, and the proof that it has been running all the while.
 *
 * The connections begin and end together. Reads have one of their own, because a WAIT for replicas blocks every command behind
 * it; reads that may lag have one that said READONLY, which must not carry others: a replica would answer them, and
 * the node becomes one without notice when it is deposed.
 */
import type { RedisCommand, RedisReply } from '../redis-link.ts'
import { RedisReplyError } from '../redis-link.ts'
import type { Connection, ConnectionOptions, ReplicaWait } from './connection.ts'
import type { Heartbeat } from './heartbeat.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress } from './link-options.ts'
import { openConnection, openReadConnection } from './open-connection.ts'
import { Trust } from './trust.ts'

export interface SessionOptions extends ConnectionOptions {
  readonly silenceMaxMs: number
  readonly replicaReads: boolean
  readonly heartbeat: Heartbeat
}

export type Channel = 'read' | 'write' | 'lagging'

export interface Delivery {
  readonly channel: Channel
  /** Precede it with ASKING: the slot is on its way to this node. */
  readonly asking?: boolean
  readonly wait?: ReplicaWait | undefined
}

const PING: RedisCommand = { name: 'ping', args: [] }
const ASKING: RedisCommand = { name: 'ASKING', args: [] }

export async function openSession(address: RedisAddress, options: SessionOptions): Promise<Session> {
  const opened = await Promise.allSettled([
    openReadConnection(address, options, { mayLag: false }),
    openConnection(address, options),
    ...(options.replicaReads ? [openReadConnection(address, options, { mayLag: true })] : []),
  ])
  const connections = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = opened.find((result) => result.status === 'rejected')
  if (failed === undefined) return new Session(addressName(address), connections, options)
  for (const connection of connections) connection.close()
  throw failed.reason
}

export class Session {
  /** Resolves when it is over, with why. */
  readonly ended: Promise<LinkFault>
  readonly #node: string
  readonly #connections: readonly Connection[]
  readonly #options: SessionOptions
  readonly #stopBeat: () => void
  readonly #pinged = new Set<Connection>()
  #reportEnd: (fault: LinkFault) => void = () => undefined
  #fault: LinkFault | undefined
  #trust: Trust | undefined
  /** Of this process, as it was at the last proof of life. */
  #lagAtProofMs = 0

  constructor(node: string, connections: readonly Connection[], options: SessionOptions) {
    this.#node = node
    this.#connections = connections
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#reportEnd = resolve
    })
    for (const connection of connections) connection.ended.then((fault) => this.#end(fault))
    this.#stopBeat = options.heartbeat.each((nowMs) => this.#beat(nowMs))
  }

  /** From now on commands are taken; other nodes said at `vouchedAtMs` or later that this one is what it says. */
  begin(vouchedAtMs: number): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#trust = new Trust(this.#options.silenceMaxMs, vouchedAtMs)
    this.#lagAtProofMs = this.#options.heartbeat.lagMs(nowMs)
    this.#beat(nowMs)
  }

  /** Asks without trust, for questions whose answers are weighed against those of others. */
  ask(command: RedisCommand): Promise<RedisReply> {
    return this.#connections[0]!.send(command)
  }

  /** Rejects with `RedisReplyError` or `LinkFault`. */
  send(command: RedisCommand, { channel, asking, wait }: Delivery): Promise<RedisReply> {
    const trust = this.#trust
    if (this.#fault !== undefined || trust === undefined) return Promise.reject(this.#fault ?? this.#notReady())
    const connection = this.#connection(channel)
    const sentAtMs = this.#options.clock.monotonicMs()
    // Its error comes again as the one of the command itself.
    if (asking) connection.send(ASKING).catch(() => undefined)
    return connection.send(command, wait).then(
      (reply) => {
        this.#accept(trust, sentAtMs)
        return reply
      },
      (error) => {
        if (error instanceof RedisReplyError) this.#accept(trust, sentAtMs)
        // Why the session ended says more than that the connection was closed for it.
        if (error instanceof LinkFault && error.kind !== 'replicas' && this.#fault !== undefined) throw this.#fault
        throw error
      },
    )
  }

  close(): void {
    this.#end(new LinkFault('closed', `the connections to ${this.#node} were closed by this process`))
  }

  #connection(channel: Channel): Connection {
    return channel === 'write'
      ? this.#connections[1]!
      : (channel === 'lagging' && this.#connections[2]) || this.#connections[0]!
  }

  #accept(trust: Trust, sentAtMs: number): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#fault === undefined && trust.accept(sentAtMs, nowMs)) {
      this.#lagAtProofMs = this.#options.heartbeat.lagMs(nowMs)
      return
    }
    this.#end(this.#silence(nowMs))
    throw this.#fault
  }

  #beat(nowMs: number): void {
    const { silenceMaxMs } = this.#options
    const stuck = this.#connections.some((connection) => connection.stuckMs(nowMs) > silenceMaxMs)
    if (stuck || this.#trust?.isBroken(nowMs)) this.#end(this.#silence(nowMs))
    else for (const connection of this.#connections) this.#ping(connection)
  }

  #ping(connection: Connection): void {
    if (this.#pinged.has(connection)) return
    this.#pinged.add(connection)
    const sentAtMs = this.#options.clock.monotonicMs()
    connection
      .send(PING)
      .then(() => this.#trust !== undefined && this.#accept(this.#trust, sentAtMs))
      .catch(() => undefined)
      .finally(() => this.#pinged.delete(connection))
  }

  #silence(nowMs: number): LinkFault {
    const { silenceMaxMs, heartbeat } = this.#options
    const silentMs = nowMs - (this.#trust?.aliveSentAtMs ?? nowMs)
    const lagMs = heartbeat.lagMs(nowMs) - this.#lagAtProofMs
    if (silentMs - lagMs <= silenceMaxMs && lagMs > 0 && this.#trust !== undefined && silentMs > silenceMaxMs) {
      return new LinkFault(
        'stalled',
        `this process did not run for ${Math.round(lagMs)} ms, so ${this.#node} is asked anew`,
      )
    }
    return new LinkFault(
      'silent',
      `${this.#node} has not answered for more than ${silenceMaxMs} ms (redis-silence-max) and is not used until it does again`,
    )
  }

  #notReady(): LinkFault {
    return new LinkFault('not-ready', `${this.#node} is connected but other nodes have not confirmed its part yet`)
  }

  #end(fault: LinkFault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#stopBeat()
    for (const connection of this.#connections) connection.close()
    this.#reportEnd(fault)
  }
}
