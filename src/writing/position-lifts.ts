/** The shards whose positions are still to be lifted (`position-floors.ts`): all at the start, and each one that was claimed since. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, type TwinstoreError } from '../domain/errors.ts'
import { type FloorParts, liftPositions } from './position-floors.ts'

export interface PositionLiftsParts extends FloorParts {
  readonly definitions: DefinitionsSource
  /** The shard had lost the end of its writes. */
  readonly tellTailLost: (shard: Shard) => void
}

export class PositionLifts {
  readonly #parts: PositionLiftsParts
  readonly #due = new Set<Shard>()
  #error: TwinstoreError | undefined

  constructor(parts: PositionLiftsParts) {
    this.#parts = parts
  }

  /** Why the last attempt of a pass failed, if it did. */
  get error(): TwinstoreError | undefined {
    return this.#error
  }

  /** To be lifted with the next pass. */
  add(shard: Shard): void {
    this.#due.add(shard)
  }

  /** Rejects if a store cannot say how far it is. */
  async lift(shards: readonly Shard[]): Promise<void> {
    const views = [...this.#parts.definitions.current.registry.views.values()]
    for (const shard of await liftPositions(this.#parts, views, shards)) this.#parts.tellTailLost(shard)
  }

  /** Of those that are due the ones still held; the others are somebody else's by now. Never rejects: it is tried again with the next pass. */
  async liftDue(held: ReadonlySet<Shard>): Promise<void> {
    const shards = [...this.#due].filter((shard) => held.has(shard))
    this.#due.clear()
    this.#error = undefined
    if (shards.length === 0) return
    try {
      await this.lift(shards)
    } catch (error) {
      // The rows of the shard can be archived all the same.
      for (const shard of shards) this.#due.add(shard)
      this.#error = asTwinstoreError(error)
    }
  }
}
