/** Feature views and their uses: under an alias, with join keys renamed, with some features picked. */
import type { OnStale } from '../../domain/registry.ts'
import { callStack, DECLARED, type Declared, type UseDeclaration, type ViewDeclaration } from './declarations.ts'
import type { Duration } from './durations.ts'
import type { Entity } from './entities.ts'
import type { SqlFragment } from './sources.ts'
import type { FeatureType, FeatureTypes } from './value-types.ts'

/** Tens of milliseconds, where a read of the online store takes one. */
export interface OfflineLookupOptions {
  /** Entities that one instance looks up per second at most; further ones are missing, as without a look-up. */
  readonly budget: number
  /** How long a look-up may take; after it the entity is missing. 200 unless given. */
  readonly timeoutMs?: number
}

/** The features that entities can be ranked by. */
type NumericNames<Features> = {
  readonly [Name in keyof Features]: Features[Name] extends FeatureType<
    'int32' | 'int64' | 'float' | 'double' | 'timestamp'
  >
    ? Name
    : never
}[keyof Features] &
  string

export interface FeatureViewOptions<Entities extends readonly Entity[], Features extends FeatureTypes> {
  /** Raise it by one for a breaking change: rows of another version are another table. 1 unless given. */
  readonly version?: number
  readonly entities: Entities
  /** The greatest age at which a value counts as fresh; values never expire unless it is given. */
  readonly ttl?: Duration
  /** What is served in place of a value older than `ttl`; the status says so in every case. `serve` unless given. */
  readonly onStale?: OnStale
  readonly features: Features
  /** SQL that yields the join keys, the features, `event_timestamp`, and perhaps `created_timestamp`. */
  readonly source?: SqlFragment
  /** When the source is read; by hand only unless given. */
  readonly sync?: SyncOptions
  /** How the offline table is partitioned by event timestamp (UTC). `day` unless given. */
  readonly partitionBy?: 'day' | 'month'
  /** false: the view is in the history only, for training sets and exports. true unless given. */
  readonly online?: boolean
  /**
   * Only the entities with the greatest values of a feature are kept online, for example the 100,000 with most orders. A row
   * that is written is online at once; the next sync, or `keep-online-interval`, applies the limit. All are kept unless given.
   */
  readonly keepOnline?: { readonly topBy: NumericNames<Features>; readonly limit: number }
  /**
   * What an entity gets that has no row online. `default`: nothing but the defaults of its features, with status NOT_FOUND; or
   * `{ offlineLookup: ... }`: its latest row in the history. `default` unless given.
   */
  readonly onMiss?: 'default' | { readonly offlineLookup: OfflineLookupOptions }
  readonly description?: string
}

export interface SyncOptions {
  /** From the beginning of one sync to that of the next. At most half of `ttl`, so that one sync may fail. */
  readonly every: Duration
  /** How long a sync takes, from when it reads its data to when the values are online: for `twinstore plan` and the rule above. */
  readonly computeTime?: Duration
  /** Accepts an `every` above half of `ttl`: for a view whose values are also written between syncs. */
  readonly allowBlindWindow?: boolean
}

declare const shape: unique symbol

/** Anything whose features can be asked for under a name: a view, or a use of one. */
export interface ViewRef<As extends string = string, Features extends FeatureTypes = FeatureTypes>
  extends Declared<ViewDeclaration | UseDeclaration> {
  /** Never there: it carries the name in answers and the features. */
  readonly [shape]?: { readonly as: As; readonly features: Features }
}

export interface ViewUse<As extends string, Features extends FeatureTypes, Keys extends string>
  extends ViewRef<As, Features> {
  /** The same view under another name, its join keys read from other request columns: `{ airport: 'origin' }`. */
  as<const Alias extends string>(
    alias: Alias,
    joinKeyMap?: { readonly [Key in Keys]?: string },
  ): ViewUse<Alias, Features, Keys>
  /** Only these features, in this order. */
  pick<const Name extends keyof Features & string>(
    ...features: readonly Name[]
  ): ViewUse<As, { readonly [Feature in Name]: Features[Feature] }, Keys>
}

export type FeatureView<
  Name extends string = string,
  Features extends FeatureTypes = FeatureTypes,
  Keys extends string = string,
> = ViewUse<Name, Features, Keys>

type KeysOf<E> = E extends Entity<infer Keys> ? Keys : never

/** Features of one or several entities together, with the rules of their freshness and where they come from. */
export function featureView<
  const Name extends string,
  const Entities extends readonly Entity[],
  Features extends FeatureTypes,
>(name: Name, options: FeatureViewOptions<Entities, Features>): FeatureView<Name, Features, KeysOf<Entities[number]>> {
  const view: FeatureView<Name, Features, KeysOf<Entities[number]>> = {
    [DECLARED]: { kind: 'view', name, options, stack: callStack() },
    as: (alias, joinKeyMap) => use(view, { alias, joinKeyMap }),
    pick: (...features) => use(view, { features }),
  }
  return view
}

type Changes = Pick<UseDeclaration, 'alias' | 'joinKeyMap' | 'features'>

function use<As extends string, Features extends FeatureTypes, Keys extends string>(
  of: object,
  changes: Changes,
): ViewUse<As, Features, Keys> {
  return {
    [DECLARED]: { kind: 'use', of, ...changes, stack: callStack() },
    as: (alias, joinKeyMap) => use(of, { ...changes, alias, joinKeyMap }),
    pick: (...features) => use(of, { ...changes, features }),
  }
}
