/**
 * Takes a command to the node that holds its slot, follows redirections, and repeats what may be repeated.
 *
 * `once` and `repeat` differ in one thing: what happens after an attempt that gave no reply to hand out. A read fails then,
 * so that a dead shard costs its callers no waiting; a command that may run twice is sent again until its time is over.
 */
import calculateSlot from 'cluster-key-slot'
import { abortCode } from '../../../domain/aborted.ts'
import { TwinstoreError } from '../../../domain/errors.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type HashTag, type RedisCommand, type RedisReply, RedisReplyError, type SendOptions } from '../redis-link.ts'
import { CallLimits, type Ending } from './call-limits.ts'
import { LinkFault } from './link-fault.ts'
import type { RedisNode } from './node.ts'
import { pauseFor } from './pauses.ts'
import { classOf } from './reply-class.ts'
import type { Channel } from './session.ts'
import type { Topology } from './topology.ts'

/** Between attempts: 5, 10, 20, ... ms. A failover takes seconds, a moving slot milliseconds. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 100

/** How often a read is redirected, or sent again because its keys are on the move, before it fails. */
const REDIRECTIONS_ONCE = 5
const TRYAGAINS_ONCE = 3

interface Call {
  readonly tag: HashTag
  readonly slot: number
  readonly command: RedisCommand
  readonly options: SendOptions
  isOver: boolean
  attempts: number
  redirections: number
  /** A replica failed: only the primary is asked from then on. */
  primaryOnly: boolean
  /** Whether the latest attempt went to a replica. */
  wasReplica: boolean
  /** Where the next attempt goes, and that one only. */
  asking: RedisNode | undefined
  /** Why the latest attempt failed. */
  fault: Error | undefined
  isFateUnknown: boolean
}

export class Router {
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #location: string
  readonly #limits: CallLimits
  readonly #slots = new Map<HashTag, number>()
  #turn = 0
  #isClosed = false

  constructor(topology: Topology, clock: Clock, location: string) {
    this.#topology = topology
    this.#clock = clock
    this.#location = location
    this.#limits = new CallLimits(clock)
  }

  send(tag: HashTag, command: RedisCommand, options: SendOptions): Promise<RedisReply> {
    const { timeoutMs, signal } = options
    if (this.#isClosed) return Promise.reject(this.#closedError())
    if (signal?.aborted) return Promise.reject(aborted(signal, tag))
    const call: Call = {
      tag,
      slot: this.#slotOf(tag),
      command,
      options,
      isOver: false,
      attempts: 0,
      redirections: 0,
      primaryOnly: options.mayLag !== true,
      wasReplica: false,
      asking: undefined,
      fault: undefined,
      isFateUnknown: false,
    }
    return new Promise((resolve, reject) => {
      const ending: Ending = {
        timedOut: () => fail(this.#timeoutError(call)),
        aborted: (by) => fail(aborted(by, tag)),
      }
      const limit = this.#limits.begin(ending, timeoutMs, signal)
      const fail = (error: unknown): void => {
        call.isOver = true
        limit.leave(ending)
        reject(error as Error)
      }
      const succeed = (reply: RedisReply): void => {
        call.isOver = true
        limit.leave(ending)
        resolve(reply)
      }
      this.#attempt(call).then(succeed, (error) => this.#again(call, error).then(succeed, fail))
    })
  }

  async sendToPrimaries(command: RedisCommand, timeoutMs: number): Promise<{ node: string; reply: RedisReply }[]> {
    if (this.#isClosed) throw this.#closedError()
    const primaries = this.#topology.primaries()
    if (primaries.length === 0) throw unavailable(`${this.#location}: no primary is known`)
    const replies = primaries.map(async (node) => {
      try {
        return {
          node: node.name,
          reply: await this.#within(node.send(command, { channel: 'read' }), node.name, timeoutMs),
        }
      } catch (error) {
        const isAnswer = error instanceof RedisReplyError && classOf(error).kind === 'caller'
        if (isAnswer || error instanceof TwinstoreError) throw error
        this.#topology.refreshSoon()
        throw unavailable((error as Error).message)
      }
    })
    return Promise.all(replies)
  }

  close(): void {
    this.#isClosed = true
  }

  /** There are as many tags as shards, and that of the store. */
  #slotOf(tag: HashTag): number {
    let slot = this.#slots.get(tag)
    if (slot === undefined) {
      slot = calculateSlot(`{${tag}}`)
      this.#slots.set(tag, slot)
    }
    return slot
  }

  /** Nearly every command takes this one step; `#again` is for the others. */
  #attempt(call: Call): Promise<RedisReply> {
    const { attempts, replicas } = call.options
    const asking = call.asking
    call.asking = undefined
    const replica = call.primaryOnly || asking !== undefined ? undefined : this.#replica(call.slot)
    call.wasReplica = replica !== undefined
    if (replica === undefined) call.primaryOnly = true
    const node = asking ?? replica ?? this.#primary(call)
    if (node === undefined) {
      const problem = `no node of ${this.#location} holds slot ${call.slot} (of {${call.tag}})`
      return Promise.reject(new LinkFault('not-ready', problem))
    }
    const ownChannel: Channel = attempts === 'repeat' ? 'write' : 'read'
    return node.send(call.command, {
      channel: replica === undefined ? ownChannel : 'lagging',
      asking: asking !== undefined,
      wait: replicas,
    })
  }

  async #again(call: Call, firstError: unknown): Promise<RedisReply> {
    for (let error = firstError; ; ) {
      await this.#afterFailure(call, error as Error)
      try {
        return await this.#attempt(call)
      } catch (next) {
        error = next
      }
    }
  }

  /** Returns when another attempt is to be made, else throws what the caller gets. */
  async #afterFailure(call: Call, error: Error): Promise<void> {
    if (this.#isClosed) throw this.#closedError()
    if (call.isOver) throw error
    const isRead = call.options.attempts === 'once'
    call.fault = error
    call.attempts += 1
    call.primaryOnly = true
    if (error instanceof LinkFault) {
      this.#topology.refreshSoon()
      if (error.kind !== 'not-ready') call.isFateUnknown = true
      if (call.wasReplica) return
      if (isRead && error.kind !== 'stalled') throw this.#failure(call)
      return this.#pause(call)
    }
    if (!(error instanceof RedisReplyError)) throw error
    const reply = classOf(error)
    switch (reply.kind) {
      case 'caller':
        throw error
      case 'tryagain':
        if (isRead && call.attempts > TRYAGAINS_ONCE) throw error
        return this.#pause(call)
      case 'unable':
        this.#topology.refreshSoon()
        if (call.wasReplica) return
        if (isRead) throw this.#failure(call)
        return this.#pause(call)
      default:
        call.redirections += 1
        if (isRead && call.redirections > REDIRECTIONS_ONCE) throw this.#failure(call)
        if (reply.kind === 'moved') this.#topology.learn(call.slot, reply.address)
        else call.asking = this.#topology.nodeAt(reply.address)
        // Two nodes that point at each other have not heard the same news yet.
        if (call.redirections > 2) return this.#pause(call)
    }
  }

  #primary({ slot }: Call): RedisNode | undefined {
    const holder = this.#topology.holder(slot)
    return holder === undefined ? undefined : this.#topology.node(holder.primary)
  }

  #replica(slot: number): RedisNode | undefined {
    const up = this.#topology.holder(slot)?.replicas.flatMap((name) => this.#topology.node(name) ?? [])
    const usable = up?.filter((node) => node.isUp) ?? []
    this.#turn += 1
    return usable[this.#turn % usable.length]
  }

  #pause(call: Call): Promise<void> {
    return pauseFor(this.#clock, Math.min(FIRST_PAUSE_MS * 2 ** (call.attempts - 1), LONGEST_PAUSE_MS))
  }

  #failure(call: Call): TwinstoreError {
    const fate = call.isFateUnknown && call.options.attempts === 'repeat' ? '; whether it was executed is unknown' : ''
    return unavailable(`${call.fault?.message}${fate}`, call.fault)
  }

  #timeoutError(call: Call): TwinstoreError {
    // An attempt is nearly always under way when the time is over.
    const fate = call.options.attempts === 'repeat' ? '; whether it was executed is unknown' : ''
    const holder = this.#topology.holder(call.slot)?.primary ?? this.#location
    const latest = call.fault === undefined ? '' : `, the latest attempt: ${call.fault.message}`
    return unavailable(
      `${holder} (slot ${call.slot}) gave no answer within ${call.options.timeoutMs} ms${latest}${fate}`,
      call.fault,
    )
  }

  async #within<T>(reply: Promise<T>, node: string, timeoutMs: number): Promise<T> {
    const { promise, cancel } = this.#expiry(node, timeoutMs)
    try {
      return await Promise.race([reply, promise])
    } finally {
      cancel()
    }
  }

  #expiry(node: string, timeoutMs: number): { promise: Promise<never>; cancel: () => void } {
    let cancel: () => void = () => undefined
    const promise = new Promise<never>((_resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () =>
        reject(unavailable(`${node} gave no answer within ${timeoutMs} ms`)),
      )
      cancel = () => timer.cancel()
    })
    return { promise, cancel }
  }

  #closedError(): TwinstoreError {
    return unavailable(`the link to ${this.#location} is closed`)
  }
}

function unavailable(message: string, cause?: Error): TwinstoreError {
  return new TwinstoreError('UNAVAILABLE', message, { cause })
}

function aborted(signal: AbortSignal, tag: HashTag): TwinstoreError {
  const code = abortCode(signal)
  const what = code === 'DEADLINE_EXCEEDED' ? 'the deadline passed' : 'cancelled'
  return new TwinstoreError(code, `${what} before Redis answered for {${tag}}`, { cause: signal.reason })
}
