/** Commands and scripts of the store, with the timeouts and the repetition that are right for them. */
import { createHash } from 'node:crypto'
import { encodeCommand } from './encode-command.ts'
import { redisError } from './redis-errors.ts'
import {
  type HashTag,
  type RedisArgument,
  type RedisLink,
  type RedisReply,
  RedisReplyError,
  type SendOptions,
} from './redis-link.ts'
import type { RedisStoreOptions } from './redis-store-options.ts'

/** A Lua script and the name Redis keeps it under. */
export interface Script {
  readonly text: string
  readonly sha1: string
}

export function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') }
}

export class RedisCalls {
  readonly #link: RedisLink
  readonly #once: SendOptions
  /** Of what may be sent twice: reads of state, and scripts that carry their own record. */
  readonly #repeat: SendOptions
  readonly #durable: SendOptions

  constructor({ link, readTimeoutMs, writeTimeoutMs, replicas }: RedisStoreOptions) {
    this.#link = link
    this.#once = { timeoutMs: readTimeoutMs, attempts: 'once' }
    this.#repeat = { timeoutMs: writeTimeoutMs, attempts: 'repeat' }
    this.#durable = replicas.count === 0 ? this.#repeat : { ...this.#repeat, replicas }
  }

  /** Asks once: a node that is down is an error at once. All reject with a `TwinstoreError`. */
  async read(tag: HashTag, name: string, ...args: RedisArgument[]): Promise<RedisReply> {
    return await this.#send(tag, name, args, this.#once)
  }

  /** Asks until it is answered. */
  async command(tag: HashTag, name: string, ...args: RedisArgument[]): Promise<RedisReply> {
    return await this.#send(tag, name, args, this.#repeat)
  }

  /** Resolves when the replicas have it too. */
  async change(tag: HashTag, name: string, ...args: RedisArgument[]): Promise<RedisReply> {
    return await this.#send(tag, name, args, this.#durable)
  }

  /** Runs a script that may run twice; resolves when the replicas have what it wrote. */
  async run(
    tag: HashTag,
    { sha1, text }: Script,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
  ): Promise<RedisReply> {
    const rest = [keys.length, ...keys, ...args]
    try {
      return await this.#link.send(
        tag,
        { name: 'EVALSHA', args: [], encoded: encodeCommand('EVALSHA', [sha1, ...rest]) },
        this.#durable,
      )
    } catch (error) {
      if (!(error instanceof RedisReplyError) || error.code !== 'NOSCRIPT') throw redisError(error)
    }
    return await this.#send(tag, 'EVAL', [text, ...rest], this.#durable)
  }

  async #send(tag: HashTag, name: string, args: readonly RedisArgument[], options: SendOptions): Promise<RedisReply> {
    try {
      return await this.#link.send(tag, { name, args }, options)
    } catch (error) {
      throw redisError(error)
    }
  }
}
