/** Parts that tests of the read path share: definitions by hand, a clock and a store that do what the test says, a codec. */
import { loadSync } from '@grpc/proto-loader'
import { entityKey, type KeyValue, type RowKey, rowKey } from '../../src/domain/entity-key.ts'
import type { RowResult } from '../../src/domain/outcome.ts'
import {
  type Compute,
  type Definitions,
  type Feature,
  type FeatureService,
  type FeatureView,
  type OnDemandView,
  type ServiceMember,
  storageId,
  type ViewUse,
} from '../../src/domain/registry.ts'
import { encodeRow } from '../../src/domain/row-codec.ts'
import { encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { parseTypeName } from '../../src/domain/value-type.ts'
import type { Position } from '../../src/domain/version.ts'
import type { ReadOptions } from '../../src/online/online-store.ts'
import { createServing, type Serving, type ServingOptions } from '../../src/serving/serving.ts'
import type { ServingFault } from '../../src/serving/serving-fault.ts'

export const NOW_MICROS = Date.UTC(2026, 0, 2) * 1000

export function feature(name: string, type: string, more: Partial<Feature> = {}): Feature {
  return { name, type: parseTypeName(type)!, ...more }
}

export function view(name: string, features: readonly Feature[], more: Partial<FeatureView> = {}): FeatureView {
  return {
    name,
    version: 1,
    entities: ['airport'],
    joinKeys: [{ name: 'airport', type: 'string' }],
    features,
    schemaId: 1,
    schemaFeatureCounts: [features.length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
    ...more,
  }
}

export function use(name: string, more: Partial<ViewUse> = {}): ViewUse {
  return { view: name, as: name, joinKeyMap: {}, ...more }
}

export function member(name: string, more: Partial<ViewUse> = {}): ServiceMember {
  return { kind: 'view', use: use(name, more) }
}

export function definitions(parts: {
  readonly views?: readonly FeatureView[]
  readonly onDemand?: readonly (OnDemandView & { readonly compute: Compute })[]
  readonly services?: readonly FeatureService[]
  readonly fingerprint?: string
}): Definitions {
  const byName = <T extends { readonly name: string }>(items: readonly T[] = []): Map<string, T> =>
    new Map(items.map((item) => [item.name, item]))
  return {
    registry: {
      project: 'test',
      fingerprint: parts.fingerprint ?? '0123456789abcdef0123456789abcdef',
      entities: new Map(),
      views: byName(parts.views),
      onDemandViews: byName(parts.onDemand),
      services: byName(parts.services),
    },
    computes: new Map((parts.onDemand ?? []).map((item) => [item.name, item.compute])),
  }
}

export function keyOf(of: FeatureView, ...values: readonly KeyValue[]): RowKey {
  return rowKey(
    storageId(of),
    entityKey(
      of.joinKeys.map((key) => key.type),
      values,
    ),
  )
}

/** A row of the view's first `values.length` features; undefined is missing. */
export function rowOf(
  of: FeatureView,
  values: readonly (FeatureValue | null | undefined)[],
  more: { readonly eventMicros?: number; readonly position?: number; readonly schemaId?: number } = {},
): Buffer {
  const eventMicros = more.eventMicros ?? NOW_MICROS
  return encodeRow({
    schemaId: more.schemaId ?? of.schemaId,
    eventMicros,
    createdMicros: eventMicros,
    position: (more.position ?? 1) as Position,
    values: values.map((value, index) => {
      const encoded = encodeValue(of.features[index]!.type, value)
      if (typeof encoded === 'string') throw new Error(encoded)
      return encoded
    }),
  })
}

export class FakeClock {
  micros = NOW_MICROS
  ms = 1000
  private timers: { readonly atMs: number; readonly callback: () => void }[] = []

  nowMicros(): number {
    return this.micros
  }

  monotonicMs(): number {
    return this.ms
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { atMs: this.ms + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }

  advance(ms: number): void {
    this.ms += ms
    this.micros += ms * 1000
    const due = this.timers.filter((timer) => timer.atMs <= this.ms)
    this.timers = this.timers.filter((timer) => timer.atMs > this.ms)
    for (const timer of due) timer.callback()
  }
}

/** One `readMany` the store was asked for; the test says when and what it answers. */
export interface Call {
  readonly keys: readonly RowKey[]
  readonly signal: AbortSignal | undefined
  readonly mayLag: boolean
  /** Answers with the rows the store holds at the time of this call. */
  answer(): void
  answerWith(results: readonly RowResult[]): void
  fail(error: Error): void
}

export class ScriptedStore {
  shardCount = 1
  readonly rows = new Map<RowKey, Buffer>()
  readonly calls: Call[] = []
  /** Whether calls are answered at once. */
  isAutomatic = true

  readMany(keys: readonly RowKey[], { signal, mayLag = false }: ReadOptions = {}): Promise<readonly RowResult[]> {
    const held = (): RowResult[] => keys.map((key) => this.rows.get(key) ?? null)
    return new Promise((resolve, reject) => {
      this.calls.push({
        keys,
        signal,
        mayLag,
        answer: () => resolve(held()),
        answerWith: resolve,
        fail: reject,
      })
      if (this.isAutomatic) resolve(held())
    })
  }
}

/** One look-up in the history; the test says what comes of it. */
export interface LookUpCall {
  readonly view: string
  readonly keys: readonly RowKey[]
  readonly signal: AbortSignal
  answer(): void
  answerWith(rows: readonly (Buffer | null)[]): void
  fail(error: Error): void
}

export class ScriptedHistory {
  readonly rows = new Map<RowKey, Buffer>()
  readonly calls: LookUpCall[] = []
  isAutomatic = true

  lookUp(of: FeatureView, keys: readonly RowKey[], signal: AbortSignal): Promise<readonly (Buffer | null)[]> {
    // A copy, as it comes from another process.
    const held = () => keys.map((key) => (this.rows.has(key) ? Buffer.from(this.rows.get(key)!) : null))
    return new Promise((resolve, reject) => {
      this.calls.push({
        view: of.name,
        keys,
        signal,
        answer: () => resolve(held()),
        answerWith: resolve,
        fail: reject,
      })
      if (this.isAutomatic) resolve(held())
    })
  }
}

export interface Bench {
  readonly serving: Serving
  readonly store: ScriptedStore
  readonly history: ScriptedHistory
  readonly clock: FakeClock
  readonly faults: ServingFault[]
  readonly source: { current: Definitions }
  /** Runs what was deferred to the end of the event loop's turn. */
  turn(): Promise<void>
}

export function bench(
  of: Definitions,
  more: {
    readonly cache?: Partial<ServingOptions['cache']>
    readonly fetch?: Partial<ServingOptions['fetch']>
    readonly lookUps?: Partial<ServingOptions['lookUps']>
    readonly limits?: Partial<ServingOptions['limits']>
  } = {},
): Bench {
  const store = new ScriptedStore()
  const history = new ScriptedHistory()
  const clock = new FakeClock()
  const faults: ServingFault[] = []
  const source = { current: of }
  const serving = createServing({
    definitions: source,
    store,
    clock,
    cache: { bytesMax: 1 << 24, entriesMax: 10_000, ttlMs: 60_000, staleIfErrorMs: 300_000, ...more.cache },
    fetch: {
      batchKeysMax: 1000,
      pendingKeysMax: 10_000,
      timeoutMs: 1000,
      hedgeAfterMs: 0,
      hedgeBudgetPercent: 0,
      readFrom: 'primary',
      replicaLagMaxMs: 10_000,
      ...more.fetch,
    },
    lookUps: {
      lookUp: (of, keys, signal) => history.lookUp(of, keys, signal),
      jobsMax: 2,
      batchKeysMax: 100,
      ...more.lookUps,
    },
    limits: {
      entitiesMax: 1000,
      featuresMax: 1000,
      entityKeyBytesMax: 512,
      requestBytesMax: 1 << 20,
      responseBytesMax: 1 << 24,
      ...more.limits,
    },
    planCacheBytes: 1 << 20,
    onFault: (fault) => void faults.push(fault),
  })
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return { serving, store, history, clock, faults, source, turn }
}

export interface Vector {
  readonly values: readonly Readonly<Record<string, unknown>>[]
  readonly statuses: readonly number[]
  readonly event_timestamps: readonly string[]
  readonly stale_views: readonly number[]
  readonly history_views: readonly number[]
}

export interface Response {
  readonly layout_id: string
  readonly layout: null | {
    readonly id: string
    readonly fingerprint: string
    readonly columns: readonly Readonly<Record<'name' | 'view' | 'feature' | 'type', string>>[]
    readonly views: readonly string[]
  }
  readonly vectors: readonly Vector[]
  readonly tensor: null | {
    readonly rows: number
    readonly columns: number
    readonly data: Buffer
    readonly statuses: Buffer
  }
}

const PROTO_DIR = new URL('../../proto', import.meta.url).pathname
const loaded = loadSync('twinstore/v1/serving.proto', {
  includeDirs: [PROTO_DIR],
  keepCase: true,
  longs: String,
  enums: Number,
})
const service = loaded['twinstore.v1.Serving'] as Readonly<
  Record<string, { requestSerialize(message: object): Buffer; responseDeserialize(bytes: Buffer): object }>
>

export function encodeRequest(request: object): Buffer {
  return service['GetFeatures']!.requestSerialize(request)
}

/** Decoded by protobufjs. A missing value is `{}`, a null `{ null_val: 0 }`, any other for example `{ double_val: 1 }`. */
export function decodeResponse(bytes: Buffer): Response {
  const message = service['GetFeatures']!.responseDeserialize(bytes) as {
    vectors?: (Partial<Vector> & { statuses?: Buffer })[]
    layout?: Response['layout']
    tensor?: Response['tensor']
    layout_id: string
  }
  return {
    layout_id: message.layout_id,
    layout: message.layout ?? null,
    tensor: message.tensor ?? null,
    vectors: (message.vectors ?? []).map((vector) => ({
      values: vector.values ?? [],
      statuses: [...(vector.statuses ?? [])],
      event_timestamps: vector.event_timestamps ?? [],
      stale_views: vector.stale_views ?? [],
      history_views: vector.history_views ?? [],
    })),
  }
}

/** The answer to a request, however it comes. */
export async function ask(serving: Serving, request: object): Promise<Response> {
  return decodeResponse(await serving.getFeatures(encodeRequest(request)))
}
