/**
 * What the Redis adapter asks of its connections: commands sent to the node that holds a shard, and news of changed keys.
 *
 * `connect/` implements it for one server and for a Cluster, over ioredis and, for reads, over connections of its own. The store
 * above it knows shards, keys and scripts; the link knows nodes, slots, redirections, timeouts, and whether a node can be trusted.
 */

/** The text in braces that decides a key's slot: `default:7` in `{default:7}airport_daily/...`. */
export type HashTag = string

export type RedisArgument = string | number | Buffer

/** As Redis answers in RESP2, bulk strings as buffers. An error reply rejects with `RedisReplyError`. */
export type RedisReply = Buffer | number | null | readonly RedisReply[]

export interface RedisCommand {
  readonly name: string
  readonly args: readonly RedisArgument[]
  /** The command as Redis reads it (RESP), where whoever sends it has written it already; `args` are not looked at then. */
  readonly encoded?: Buffer
}

export interface SendOptions {
  /** Rejects with UNAVAILABLE after so long, repetitions included. */
  readonly timeoutMs: number
  /**
   * `once`: fails as soon as its node does not answer, is not trusted or cannot be reached (reads). `repeat`: the command
   * may be run twice without harm, and is sent again after lost connections, failovers and redirections until the timeout.
   * Redirections (MOVED, ASK) are followed in both.
   */
  readonly attempts: 'once' | 'repeat'
  /** May be answered by a replica of the shard; by the primary if there is none that answers. */
  readonly mayLag?: boolean
  /** Resolves only when so many replicas have everything the node had written until then; see `redis-wait-replicas`. */
  readonly replicas?: { readonly count: number; readonly timeoutMs: number }
  readonly signal?: AbortSignal
}

export interface RedisLink {
  /** How people name it: `redis+cluster://127.0.0.1:7000,127.0.0.1:7001`; without user and password. */
  readonly location: string

  /**
   * Runs a command on the node that holds the tag's slot. Commands of one turn of the event loop leave together, per node.
   *
   * Rejects with a `TwinstoreError`: UNAVAILABLE (no answer, not reachable, not trusted, too few replicas; the message
   * names the node), DEADLINE_EXCEEDED or CANCELLED (the signal); or with `RedisReplyError` for an error that Redis
   * replied and that is not about where the shard is. A reply of a node that may have been deposed is never given out:
   * what resolves was read from the shard's primary (unless `mayLag`).
   */
  send(tag: HashTag, command: RedisCommand, options: SendOptions): Promise<RedisReply>

  /** Runs a command on every primary; rejects if one does not answer. */
  sendToPrimaries(command: RedisCommand, timeoutMs: number): Promise<readonly { node: string; reply: RedisReply }[]>

  /**
   * Calls `listener` with keys that changed (as Redis names them), or `all` when changes may have been missed: a tracking
   * connection was lost and is there again, a shard has another primary, or the data was flushed. Tracking has begun
   * when the link opens.
   */
  watch(listener: (changed: readonly Buffer[] | 'all') => void): () => void

  close(): Promise<void>
}

/** An error reply of Redis: `code` is its first word, such as `OOM`, `NOSCRIPT` or `READONLY`. */
export class RedisReplyError extends Error {
  readonly code: string
  /** `host:port` of the node that replied. */
  readonly node: string

  constructor(message: string, node: string) {
    super(message)
    this.name = 'RedisReplyError'
    this.code = /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
    this.node = node
  }
}
