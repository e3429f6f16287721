/** Definitions, limits and a hand-moved clock for the tests of the write path. */
import type { DefinitionsSource } from '../../src/domain/definitions-source.ts'
import type { FeatureView, Registry } from '../../src/domain/registry.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { WorkTurns } from '../../src/lib/work-turns.ts'
import type { WriteLimits } from '../../src/writing/write-limits.ts'

export const NOW_MICROS = Date.UTC(2026, 0, 15, 12) * 1000

export const limits: WriteLimits = {
  rowsMax: 100,
  valueBytesMax: 200,
  rowBytesMax: 500,
  entityKeyBytesMax: 64,
  eventAheadMsMax: 86_400_000,
  turnMsMax: 1000,
}

/** For work that is short. */
export const turn = new WorkTurns(systemClock, limits.turnMsMax).begin()

/** A view over (airport string, terminal int64) with one feature of many types. */
export const airport: FeatureView = viewOf({
  name: 'airport',
  joinKeys: [
    { name: 'airport', type: 'string' },
    { name: 'terminal', type: 'int64' },
  ],
  features: [
    { name: 'mean_delay', type: { kind: 'double' } },
    { name: 'flights', type: { kind: 'int64' } },
    { name: 'closed', type: { kind: 'bool' } },
    { name: 'label', type: { kind: 'string' } },
    { name: 'odds', type: { kind: 'float' }, allowNaN: true },
    { name: 'embedding', type: { kind: 'vector', length: 3 } },
    { name: 'tags', type: { kind: 'list', of: 'string' } },
  ],
})

export const route: FeatureView = viewOf({
  name: 'route',
  joinKeys: [{ name: 'route', type: 'string' }],
  features: [{ name: 'max_delay', type: { kind: 'double' } }],
})

export function viewOf(parts: Pick<FeatureView, 'name' | 'joinKeys' | 'features'> & Partial<FeatureView>): FeatureView {
  return {
    version: 1,
    entities: parts.joinKeys.map((key) => key.name),
    schemaId: 1,
    schemaFeatureCounts: [parts.features.length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
    ...parts,
  }
}

export function registryOf(...views: readonly FeatureView[]): Registry {
  return {
    project: 'test',
    fingerprint: '0'.repeat(32),
    entities: new Map(),
    views: new Map(views.map((view) => [view.name, view])),
    onDemandViews: new Map(),
    services: new Map(),
  }
}

/** Definitions that a test can replace while parts hold them. */
export class TestDefinitions implements DefinitionsSource {
  current: DefinitionsSource['current']

  constructor(...views: readonly FeatureView[]) {
    this.current = { registry: registryOf(...views), computes: new Map() }
  }

  apply(...views: readonly FeatureView[]): void {
    this.current = { registry: registryOf(...views), computes: new Map() }
  }
}

/** A clock that moves when told to; timers run in the order of their times. */
export class ManualClock implements Clock {
  #ms = 0
  #timers: { readonly atMs: number; readonly run: () => void }[] = []

  nowMicros(): number {
    return NOW_MICROS + this.#ms * 1000
  }

  monotonicMs(): number {
    return this.#ms
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { atMs: this.#ms + delayMs, run }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }

  /** Delays until each waiting timer, milliseconds. */
  get pending(): readonly number[] {
    return this.#timers.map((timer) => timer.atMs - this.#ms)
  }

  advance(ms: number): void {
    this.#ms += ms
    const due = this.#timers.filter((timer) => timer.atMs <= this.#ms).sort((a, b) => a.atMs - b.atMs)
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#ms)
    for (const timer of due) timer.run()
  }
}
