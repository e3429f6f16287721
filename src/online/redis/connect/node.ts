/**
 * One node of the topology: sessions with it, one after another for as long as it belongs to the link.
 *
 *   starting -> up <-> down        `up`: connected, and other nodes vouch for it
 *
 * `starting` lasts until the first attempt has succeeded or failed, and commands wait for that; `down` refuses them at
 * once, so that a node which hangs costs its own slots nothing but the answer UNAVAILABLE.
 */
import type { RedisCommand, RedisReply } from '../redis-link.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type RedisAddress } from './link-options.ts'
import { pauseFor } from './pauses.ts'
import { type Delivery, openSession, type Session, type SessionOptions } from './session.ts'

export interface NodeHooks {
  /**
   * Resolves with a time at or after `sinceMs` when other nodes found this one well; with undefined once `isWanted` is
   * false, the session having ended meanwhile.
   */
  vouch(node: RedisNode, sinceMs: number, isWanted: () => boolean): Promise<number | undefined>
  /** A session ended: something has changed. */
  lost(node: RedisNode): void
}

const FIRST_PAUSE_MS = 10

export class RedisNode {
  readonly name: string
  readonly address: RedisAddress
  /** Resolves when the first attempt to connect has succeeded or failed. */
  readonly started: Promise<void>
  readonly #options: SessionOptions
  readonly #hooks: NodeHooks
  readonly #retryMaxMs: number
  #session: Session | undefined
  #state: 'starting' | 'up' | 'down' = 'starting'
  #fault: Error | undefined
  #closed = false
  #reportStart: () => void = () => undefined

  /** `retryMaxMs`: longest pause between two attempts to connect. */
  constructor(address: RedisAddress, options: SessionOptions, retryMaxMs: number, hooks: NodeHooks) {
    this.name = addressName(address)
    this.address = address
    this.#options = options
    this.#retryMaxMs = retryMaxMs
    this.#hooks = hooks
    this.started = new Promise((resolve) => {
      this.#reportStart = resolve
    })
    void this.#keepConnected()
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Connected, whether or not it is vouched for. */
  get isConnected(): boolean {
    return this.#session !== undefined
  }

  /** Why it is down. */
  get fault(): Error {
    return this.#fault ?? new LinkFault('not-ready', `${this.name} is not connected yet`)
  }

  ask(command: RedisCommand): Promise<RedisReply> {
    return this.#session === undefined ? Promise.reject(this.fault) : this.#session.ask(command)
  }

  send(command: RedisCommand, delivery: Delivery): Promise<RedisReply> {
    if (this.#state === 'starting') return this.started.then(() => this.send(command, delivery))
    if (this.#session === undefined || this.#state !== 'up') return Promise.reject(this.#refusal())
    return this.#session.send(command, delivery)
  }

  close(): void {
    this.#closed = true
    this.#session?.close()
  }

  async #keepConnected(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (!this.#closed) {
      try {
        const session = await openSession(this.address, this.#options)
        if (this.#closed) session.close()
        this.#session = session
        this.#fault = await this.#holdSession(session)
        if (this.#state === 'up') pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        this.#fault = error as Error
      }
      this.#session = undefined
      this.#change('down')
      if (this.#closed) return
      this.#hooks.lost(this)
      await pauseFor(this.#options.clock, pauseMs)
      pauseMs = Math.min(2 * pauseMs, this.#retryMaxMs)
    }
  }

  /** Resolves with why the session ended. */
  async #holdSession(session: Session): Promise<LinkFault> {
    const isWanted = (): boolean => this.#session === session && !this.#closed
    const vouched = this.#hooks.vouch(this, this.#options.clock.monotonicMs(), isWanted)
    const first = await Promise.race([session.ended, vouched])
    if (typeof first === 'number') {
      session.begin(first)
      this.#change('up')
    }
    return session.ended
  }

  #change(state: 'up' | 'down'): void {
    this.#state = state
    this.#reportStart()
  }

  /** The command was not sent. Only a stall of this process is worth waiting for in a read. */
  #refusal(): LinkFault {
    const kind = this.#fault instanceof LinkFault && this.#fault.kind === 'stalled' ? 'stalled' : 'not-ready'
    return new LinkFault(kind, this.fault.message)
  }
}
