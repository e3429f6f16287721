/**
 * The shards that this instance archives of its own accord, claimed anew in thirds of the lease.
 *
 * Claims only save work: two instances that both take a shard for theirs add nothing twice, because the offline commit
 * decides. So while the store does not answer, what was held is held on to.
 */
import type { Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, type TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { OnlineStore } from '../online/online-store.ts'

export interface ShardClaimsParts {
  readonly online: Pick<OnlineStore, 'claimShards' | 'releaseShards'>
  readonly clock: Pick<Clock, 'after'>
  readonly owner: string
  readonly leaseMs: number
  /** Called after every claim that succeeded, with the shards that were not held before it. */
  readonly onClaimed: (gained: readonly Shard[]) => void
}

export class ShardClaims {
  readonly #parts: ShardClaimsParts
  #held: ReadonlySet<Shard> = new Set()
  #error: TwinstoreError | undefined
  #timer: { cancel(): void } | undefined
  #claiming: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(parts: ShardClaimsParts) {
    this.#parts = parts
  }

  get held(): ReadonlySet<Shard> {
    return this.#held
  }

  /** Why the last claim failed, if it did. */
  get error(): TwinstoreError | undefined {
    return this.#error
  }

  /** Resolves after the first attempt. */
  async start(): Promise<void> {
    this.#claiming = this.#claim()
    await this.#claiming
  }

  /** Claims no more; what is held stays in force until `release` or until it ends. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async release(): Promise<void> {
    this.stop()
    // A claim under way would take the shards again after they were given up.
    await this.#claiming
    this.#held = new Set()
    await this.#parts.online.releaseShards(this.#parts.owner)
  }

  async #claim(): Promise<void> {
    const { online, clock, owner, leaseMs, onClaimed } = this.#parts
    try {
      const claimed = await online.claimShards({ owner, ttlMs: leaseMs })
      const gained = claimed.filter((shard) => !this.#held.has(shard))
      this.#held = new Set(claimed)
      this.#error = undefined
      if (!this.#stopped) onClaimed(gained)
    } catch (error) {
      this.#error = asTwinstoreError(error)
    }
    if (this.#stopped) return
    this.#timer = clock.after(leaseMs / 3, () => {
      this.#claiming = this.#claim()
    })
  }
}
