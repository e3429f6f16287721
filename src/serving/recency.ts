/**
 * Things in the order of their last use: a doubly linked list whose links are in the things themselves, so that moving one
 * makes no object and looks nothing up.
 *
 * A thing that left points at nobody. It would otherwise keep those after it alive once it is old garbage, which
 * the collector of young objects does not tell from what is in use.
 */
export interface Linked<T> {
  older: T | undefined
  newer: T | undefined
}

export class Recency<T extends Linked<T>> {
  #oldest: T | undefined
  #newest: T | undefined

  get oldest(): T | undefined {
    return this.#oldest
  }

  /** `thing` is not in the list. */
  add(thing: T): void {
    const before = this.#newest
    thing.older = before
    if (before === undefined) this.#oldest = thing
    else before.newer = thing
    this.#newest = thing
  }

  remove(thing: T): void {
    const { older, newer } = thing
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    thing.older = undefined
    thing.newer = undefined
  }

  /** It was used just now. */
  renew(thing: T): void {
    if (thing === this.#newest) return
    this.remove(thing)
    this.add(thing)
  }
}
