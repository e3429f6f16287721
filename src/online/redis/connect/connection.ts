/**
 * One connection to one node, used once: when it ends, its commands reject, and whoever needs another opens one.
 *
 * Nothing is repeated by a connection, because a command whose fate is unknown must not be run again by anyone but the router, which
 * knows whether that does harm. There are two kinds: `ioredis-connection.ts` for any command, `read-connection.ts` for the
 * reads of the serving path. `open-connection.ts` opens both.
 */
import type { Clock } from '../../../lib/clock.ts'
import type { RedisCommand, RedisReply } from '../redis-link.ts'
import type { LinkFault } from './link-fault.ts'
import type { RedisLocation } from './link-options.ts'

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

export interface Connection {
  readonly node: string
  /** Resolves when commands can be sent, the login among them; rejects with the `LinkFault` if it ends before. */
  readonly connected: Promise<void>
  /** Resolves when the connection has ended, with why. */
  readonly ended: Promise<LinkFault>

  /**
   * Resolves with the reply, and not before `wait.count` replicas have what this connection has written. Rejects with
   * `RedisReplyError` or `LinkFault`. A connection for reads takes no `wait`.
   */
  send(command: RedisCommand, wait?: ReplicaWait): Promise<RedisReply>

  /** How long nothing has arrived though something was asked, less what a WAIT may take by right. */
  stuckMs(nowMs: number): number

  close(): void
}

export interface SubscribableConnection extends Connection {
  /** Makes this a connection that gets the messages of a channel; of commands it takes only `ping` from then on. */
  subscribe(channel: string, onMessage: (payload: unknown) => void): Promise<unknown>
}
