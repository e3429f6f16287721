/** Properties of what is stored of definitions: nothing is lost, and a layout only grows. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Draft, DraftView } from '../../src/definitions/check/draft.ts'
import { canonicalJson, type Json } from '../../src/definitions/stored/canonical-json.ts'
import { contentOf, contentText, fingerprintOf, registryOf } from '../../src/definitions/stored/content.ts'
import { nextLayouts, type ViewLayouts } from '../../src/definitions/stored/layout.ts'
import type { Feature, Registry } from '../../src/domain/registry.ts'
import { SCALAR_TYPES, type ValueType } from '../../src/domain/value-type.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).filter((text) => text !== 'constructor')
const scalar = fc.constantFrom(...SCALAR_TYPES)
const type: fc.Arbitrary<ValueType> = fc.oneof(
  scalar.map((kind) => ({ kind })),
  scalar.map((of) => ({ kind: 'list' as const, of })),
  fc.integer({ min: 1, max: 512 }).map((length) => ({ kind: 'vector' as const, length })),
)
const defaultValue = fc.oneof(fc.boolean(), fc.integer(), fc.string(), fc.array(fc.integer()))
const feature: fc.Arbitrary<Feature> = fc.record(
  { name, type, default: defaultValue, allowNaN: fc.constant(true), description: fc.string() },
  { requiredKeys: ['name', 'type'] },
)
const named = <T extends { readonly name: string }>(item: fc.Arbitrary<T>, minLength = 0) =>
  fc.uniqueArray(item, { selector: (each) => each.name, minLength, maxLength: 5 })
const joinKey = fc.record({ name, type: fc.constantFrom('string' as const, 'int64' as const) })

const view: fc.Arbitrary<DraftView> = fc.record(
  {
    name,
    version: fc.integer({ min: 1, max: 9 }),
    entities: fc.array(name),
    joinKeys: named(joinKey),
    features: named(feature, 1),
    ttlMicros: fc.integer({ min: 1 }),
    onStale: fc.constantFrom('serve' as const, 'null' as const, 'default' as const, 'reject' as const),
    source: fc.record({
      sql: fc.string(),
      files: fc.array(fc.record({ name: fc.string(), location: fc.string(), format: fc.constant('csv' as const) })),
    }),
    syncEverySeconds: fc.integer({ min: 1 }),
    syncComputeSeconds: fc.integer({ min: 1 }),
    mayBeBlind: fc.constant(true),
    partitionBy: fc.constantFrom('day' as const, 'month' as const),
    online: fc.boolean(),
    description: fc.string(),
  },
  { requiredKeys: ['name', 'version', 'entities', 'joinKeys', 'features', 'onStale', 'partitionBy', 'online'] },
)
const use = fc.record(
  { view: name, as: name, joinKeyMap: fc.dictionary(name, name), features: fc.array(name) },
  { requiredKeys: ['view', 'as', 'joinKeyMap'] },
)
const member = fc.oneof(
  use.map((each) => ({ kind: 'view' as const, use: each })),
  name.map((of) => ({ kind: 'onDemand' as const, view: of })),
)
const draft: fc.Arbitrary<Draft> = fc.record({
  entities: named(fc.record({ name, joinKeys: named(joinKey) })),
  views: named(view),
  onDemandViews: named(
    fc.record({ name, inputs: fc.array(use), request: named(feature), features: named(feature, 1) }),
  ),
  services: named(fc.record({ name, members: fc.array(member) })),
})

/** The registry of a draft in an empty store, made without the stored form. */
function registryOfDraft(of: Draft, project: string, fingerprint: string): Registry {
  const byName = <T extends { readonly name: string }>(items: readonly T[]) =>
    new Map(items.map((item) => [item.name, item]))
  const views = of.views.map((each) => ({
    ...each,
    schemaId: 1,
    schemaFeatureCounts: [each.features.length],
  }))
  return {
    project,
    fingerprint,
    entities: byName(of.entities),
    views: byName(views),
    onDemandViews: byName(of.onDemandViews),
    services: byName(of.services),
  }
}

test('a registry survives being stored and read back', () => {
  fc.assert(
    fc.property(draft, (original) => {
      const { layouts } = nextLayouts({}, original)
      const text = contentText(contentOf(original))
      const stored: ViewLayouts = JSON.parse(JSON.stringify(layouts))
      const fingerprint = fingerprintOf(text, undefined)
      const read = registryOf(JSON.parse(text), stored, 'p', fingerprint)
      expect(read).toEqual(registryOfDraft(original, 'p', fingerprint))
    }),
  )
})

test('equal definitions have one fingerprint, whatever the order they are declared in', () => {
  fc.assert(
    fc.property(draft, (original) => {
      const reversed: Draft = {
        entities: original.entities.toReversed(),
        views: original.views.map((each) => ({ ...each, features: each.features.toReversed() })).reverse(),
        onDemandViews: original.onDemandViews.toReversed(),
        services: original.services.toReversed(),
      }
      expect(contentText(contentOf(reversed))).toBe(contentText(contentOf(original)))
    }),
  )
})

test('canonical JSON means what JSON means, and does not depend on the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value as Json)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      expect(canonicalJson(JSON.parse(text))).toBe(text)
    }),
  )
})

/** A view whose features are these, all double. */
function viewOf(features: readonly string[], version: number): Draft {
  const of: DraftView = {
    name: 'v',
    version,
    entities: ['e'],
    joinKeys: [{ name: 'e', type: 'string' }],
    features: features.map((each) => ({ name: each, type: { kind: 'double' } })),
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
  }
  return { entities: [], views: [of], onDemandViews: [], services: [] }
}

test('through any sequence of applies a feature keeps its ordinal, and every schema is a prefix', () => {
  const step = fc.record({
    features: fc.uniqueArray(fc.constantFrom<string[]>('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 }),
    version: fc.constantFrom(1, 1, 1, 1, 2),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let layouts: ViewLayouts = {}
      for (const { features, version } of steps) {
        const before = layouts['v']
        const next = nextLayouts(layouts, viewOf(features, version))
        const isRaised = before === undefined || version > before.version
        const isBroken =
          before !== undefined &&
          (version < before.version ||
            (version === before.version && before.features.some((known) => !features.includes(known.name))))
        expect(next.faults.length > 0).toBe(isBroken)
        if (isBroken) continue
        layouts = next.layouts
        const after = layouts['v']!
        if (!isRaised) expect(after.features.slice(0, before.features.length)).toEqual(before.features)
        expect(after.features.map((each) => each.name).sort()).toEqual([...features].sort())
        expect(after.schemaFeatureCounts.at(-1)).toBe(after.features.length)
        expect([...new Set(after.schemaFeatureCounts)].sort((a, b) => a - b)).toEqual(after.schemaFeatureCounts)
      }
    }),
  )
})
