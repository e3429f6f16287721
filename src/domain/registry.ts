/**
 * The applied definitions as plain data: what every part of the system knows of entities, views and services.
 *
 * A registry is made by `definitions/` from what a user wrote, stored as an immutable snapshot, and never changed in
 * memory. It holds no functions; those of on-demand views are in the snapshot's code bundle and are looked up by name.
 */
import type { KeyType } from './entity-key.ts'
import type { ValueType } from './value-type.ts'

/** What a slot holds when its row is older than the view's TTL; the status is OUTSIDE_MAX_AGE in every case. */
export type OnStale = 'serve' | 'null' | 'default' | 'reject'
/** What an entity gets that has no row online and is looked up in the history instead. */
export interface OfflineLookup {
  /** Entities of the view that one instance looks up per second at most. */
  readonly budgetPerSecond: number
  /** How long a look-up may take, milliseconds. */
  readonly timeoutMs: number
}
/** The entities whose latest rows are kept online: those with the greatest values of a feature. */
export interface KeepOnline {
  readonly topBy: string
  readonly limit: number
}
/** Which of a view's entities the online store keeps (docs/online.md). */
export type OnlineExtent = 'all' | 'some' | 'none'
/** A JSON form of a feature's default; an int64 is a decimal string, bytes are base64, a timestamp is seconds. */
export type DefaultValue = boolean | number | string | readonly (boolean | number | string)[]

export interface JoinKey {
  readonly name: string
  readonly type: KeyType
}

export interface Entity {
  readonly name: string
  readonly joinKeys: readonly JoinKey[]
  readonly description?: string
}

export interface Feature {
  readonly name: string
  readonly type: ValueType
  /** Stands in where the value is missing (never where it is null). */
  readonly default?: DefaultValue
  /** Whether NaN and infinities may be written; false unless declared. */
  readonly allowNaN?: boolean
  /** How far numbers of the two stores may be apart and count as equal when the stores are compared; 0 unless declared. */
  readonly tolerance?: number
  readonly description?: string
}

/** A file that definitions read; `name` is how people refer to it (`flights.parquet`). */
export interface SourceFile {
  readonly name: string
  /**
   * Where it is: a path relative to the definitions folder or absolute, or `npm:<package>/<path>` for a file inside an
   * installed package, looked for in `node_modules` from the definitions folder upwards.
   */
  readonly location: string
  readonly format: 'parquet' | 'csv'
}

/**
 * A view's batch source: SQL (DuckDB's dialect) that yields the join keys, the features and `event_timestamp`, and may
 * yield `created_timestamp`. Each `{{n}}` in it stands for `files[n]`.
 */
export interface SqlSource {
  readonly sql: string
  readonly files: readonly SourceFile[]
}

export interface FeatureView {
  readonly name: string
  /** Raised by the user for a breaking change; rows of another version are another table and other keys. */
  readonly version: number
  readonly entities: readonly string[]
  /** The join keys of all its entities, in byte order of their names: the canonical order of entity keys. */
  readonly joinKeys: readonly JoinKey[]
  /** In ordinal order: a feature keeps its place in stored rows for ever, an added one comes last. */
  readonly features: readonly Feature[]
  /** Counts the view's schemas from 1; row headers carry it. */
  readonly schemaId: number
  /** For each schema id, oldest first, how many features (a prefix of `features`) rows of that schema have. */
  readonly schemaFeatureCounts: readonly number[]
  /** Maximum age in microseconds; undefined: values never expire. */
  readonly ttlMicros?: number
  readonly onStale: OnStale
  readonly source?: SqlSource
  /** From the beginning of one sync of the source to that of the next. */
  readonly syncEverySeconds?: number
  /** How long the user says that a sync takes, from reading its data to the values being online. */
  readonly syncComputeSeconds?: number
  /** The user accepts that the view's values are past their TTL between syncs: they are written in between, say. */
  readonly mayBeBlind?: boolean
  /** How the offline table is partitioned: by UTC day, or by UTC month, of the event timestamp. */
  readonly partitionBy: 'day' | 'month'
  /** False: the view is in the history only. */
  readonly online: boolean
  /** Undefined: every entity is kept online. */
  readonly keepOnline?: KeepOnline
  /** Undefined: what has no row online is missing, and defaults stand in. */
  readonly onMiss?: OfflineLookup
  readonly description?: string
}

/**
 * One use of a view: under its own name or an alias, with join keys renamed. `joinKeyMap` says, for a join key of the
 * view, which request column holds it; a join key not in it keeps its name.
 */
export interface ViewUse {
  readonly view: string
  /** The alias, or the view's name: the prefix of its feature columns (`origin_airport__mean_delay`). */
  readonly as: string
  readonly joinKeyMap: Readonly<Record<string, string>>
  /** Names of the picked features; undefined: all, in ordinal order. */
  readonly features?: readonly string[]
}

export interface OnDemandView {
  readonly name: string
  readonly inputs: readonly ViewUse[]
  /** Features that come with the request; one without a default must be given. A default stands in for null too. */
  readonly request: readonly Feature[]
  readonly features: readonly Feature[]
  readonly description?: string
}

export type ServiceMember =
  | { readonly kind: 'view'; readonly use: ViewUse }
  | { readonly kind: 'onDemand'; readonly view: string; readonly features?: readonly string[] }

export interface FeatureService {
  readonly name: string
  readonly members: readonly ServiceMember[]
  /** False: for training sets and exports only, because a view in it is offline only. Served unless given. */
  readonly online?: false
  readonly description?: string
}

export interface Registry {
  readonly project: string
  /** 32 hex digits: the first half of the SHA-256 of the definitions and of the code of their on-demand views. */
  readonly fingerprint: string
  readonly entities: ReadonlyMap<string, Entity>
  readonly views: ReadonlyMap<string, FeatureView>
  readonly onDemandViews: ReadonlyMap<string, OnDemandView>
  readonly services: ReadonlyMap<string, FeatureService>
}

/** What a computation gets: for each input view, under its alias, its features; under `request`, the request features. */
export type ComputeInput = Readonly<Record<string, Readonly<Record<string, unknown>>>>
/**
 * The function of an on-demand view. Numbers of every numeric type, int64 included, arrive as `number`; null and missing
 * arrive as `null`; timestamps as `Date`. It must be pure: it runs at serving time and over training sets alike.
 */
export type Compute = (row: ComputeInput) => Readonly<Record<string, unknown>>

/** What a server runs on: the registry, and the functions of its on-demand views by view name. */
export interface Definitions {
  readonly registry: Registry
  readonly computes: ReadonlyMap<string, Compute>
}

export function onlineExtent(view: Pick<FeatureView, 'online' | 'keepOnline'>): OnlineExtent {
  if (!view.online) return 'none'
  return view.keepOnline === undefined ? 'all' : 'some'
}

/** How the view is named in the stores: `airport_daily`, or `airport_daily@2` once its version is raised. */
export function storageId(view: Pick<FeatureView, 'name' | 'version'>): string {
  return view.version === 1 ? view.name : `${view.name}@${view.version}`
}

/** The name of a feature's column in answers, exports and training sets. */
export function columnName(as: string, feature: string): string {
  return `${as}__${feature}`
}

/** The column of the request that holds a view's join key under this use. */
export function requestColumn(use: ViewUse, joinKey: string): string {
  return use.joinKeyMap[joinKey] ?? joinKey
}

/** The views that are kept online. */
export function onlineViews(registry: Registry): readonly FeatureView[] {
  return [...registry.views.values()].filter((view) => view.online)
}
