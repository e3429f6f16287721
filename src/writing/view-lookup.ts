/** The view that a stored row belongs to, by the storage id in its key. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { type FeatureView, onlineExtent, type Registry, storageId } from '../domain/registry.ts'

/**
 * A view of earlier definitions, from their snapshots: rows of it may have been accepted before the last ones were
 * applied.
 */
export type EarlierViews = (storageId: string) => Promise<FeatureView | undefined>

export class ViewLookup {
  readonly #definitions: DefinitionsSource
  readonly #earlier: EarlierViews
  /** Every view seen while running, so that rows of a view just removed find theirs without a snapshot. */
  readonly #views = new Map<string, FeatureView>()
  #registry: Registry | undefined

  constructor(definitions: DefinitionsSource, earlier: EarlierViews) {
    this.#definitions = definitions
    this.#earlier = earlier
  }

  /** True if the definitions are others than at the last call. */
  refresh(): boolean {
    const { registry } = this.#definitions.current
    if (registry === this.#registry) return false
    this.#registry = registry
    for (const view of registry.views.values()) this.#views.set(storageId(view), view)
    return true
  }

  /** Whether every row of the view is online once it is accepted; false if the view is not known here. */
  staysOnline(id: string): boolean {
    const view = this.#views.get(id)
    return view !== undefined && onlineExtent(view) === 'all'
  }

  async find(id: string): Promise<FeatureView | undefined> {
    const known = this.#views.get(id)
    if (known !== undefined) return known
    const earlier = await this.#earlier(id)
    if (earlier !== undefined) this.#views.set(id, earlier)
    return earlier
  }
}
