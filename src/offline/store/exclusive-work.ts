/** One of a kind at a time per table: a second one would do the work again, or wait for files that are about to go. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { tablePath } from '../delta/ensure-table.ts'

export class ExclusiveWork {
  readonly #busy = new Set<string>()

  /** ABORTED if one of the kind is under way. */
  async run<T>(kind: 'sync' | 'compaction' | 'vacuum', view: FeatureView, work: () => Promise<T>): Promise<T> {
    const name = `${kind} ${tablePath(view)}`
    if (this.#busy.has(name)) {
      throw new TwinstoreError('ABORTED', `a ${kind} of view ${view.name} is running; wait for it to end`)
    }
    this.#busy.add(name)
    try {
      return await work()
    } finally {
      this.#busy.delete(name)
    }
  }
}
