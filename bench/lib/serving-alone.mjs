/**
 * The read path alone in this process, with the options that it has by default: no gRPC, definitions made up in place, and a store that
 * the benchmark gives.
 */
import { loadConfig } from '../../dist/config/load-config.js'
import { servingSlice } from '../../dist/config/slices/reading.js'
import { encodeRow } from '../../dist/domain/row-codec.js'
import { encodeValue } from '../../dist/domain/value-codec.js'
import { systemClock as clock } from '../../dist/lib/clock.js'
import { createServing } from '../../dist/serving/serving.js'

const EVENT_MICROS = Date.UTC(2026, 0, 1) * 1000

/** `flags`: options that differ from their defaults. */
export function openServing({ definitions, store, flags = {} }) {
  return createServing({
    definitions,
    store,
    clock,
    ...servingSlice(loadConfig({ flags, environment: {} })),
    onFault: ({ error }) => {
      throw error
    },
  })
}

/** What `openServing` takes as definitions. */
export function definitionsOf({ views, services, onDemandViews = [], computes = {} }) {
  const byName = (list) => new Map(list.map((each) => [each.name, each]))
  const registry = {
    project: 'bench',
    fingerprint: '0'.repeat(32),
    entities: new Map(),
    views: byName(views),
    onDemandViews: byName(onDemandViews),
    services: byName(services),
  }
  return { current: { registry, computes: new Map(Object.entries(computes)) } }
}

/** A view whose join keys are strings. */
export function viewOf(name, joinKeys, features) {
  return {
    name,
    version: 1,
    entities: joinKeys,
    joinKeys: joinKeys.map((key) => ({ name: key, type: 'string' })),
    features,
    schemaId: 1,
    schemaFeatureCounts: [features.length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
  }
}

export function featureOf(name, kind) {
  return { name, type: { kind } }
}

/** The row of a view with these values, as a store holds it. */
export function encodedRow(view, values) {
  return encodeRow({
    schemaId: view.schemaId,
    eventMicros: EVENT_MICROS,
    createdMicros: EVENT_MICROS,
    position: 1,
    values: values.map((value, index) => encodeValue(view.features[index].type, value)),
  })
}
