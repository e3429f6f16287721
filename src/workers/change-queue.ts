/**
 * Changed keys on their way to one other process: one message a turn, and a bound.
 *
 * Keys count from `add` until the operating system has taken the message. When more than `keysMax` would wait, because the
 * other process is stopped or slower than the writes, they are all forgotten and what is sent once the channel is free
 * again is `all`: the other one drops its whole row cache, which costs it reads and nothing else.
 */
import type { RowKey } from '../domain/entity-key.ts'
import type { Invalidation } from '../online/online-store.ts'

/** Calls `done` when the message has left this process, or never will. */
export type SendChanged = (changed: Invalidation, done: () => void) => void

export class ChangeQueue {
  readonly #send: SendChanged
  readonly #keysMax: number
  #keys: RowKey[] = []
  #all = false
  /** Keys handed to `send` that are not gone yet; `all` counts as one. */
  #leaving = 0
  #scheduled = false

  constructor(send: SendChanged, keysMax: number) {
    this.#send = send
    this.#keysMax = keysMax
  }

  add(changed: Invalidation): void {
    if (this.#all) return
    if (changed === 'all' || this.#keys.length + this.#leaving + changed.length > this.#keysMax) {
      this.#all = true
      this.#keys = []
    } else for (const key of changed) this.#keys.push(key)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (!this.#all) {
      const keys = this.#keys
      this.#keys = []
      if (keys.length > 0) this.#dispatch(keys, keys.length)
    } else if (this.#leaving === 0) {
      this.#all = false
      this.#dispatch('all', 1)
    }
  }

  #dispatch(changed: Invalidation, count: number): void {
    this.#leaving += count
    this.#send(changed, () => {
      this.#leaving -= count
      if (this.#all) this.#schedule()
    })
  }
}
