/** What of a view is online: `online`, `keepOnline` and `onMiss`, and how they go together. */
import type { Feature, FeatureView, KeepOnline, OfflineLookup } from '../../domain/registry.ts'
import { typeName } from '../../domain/value-type.ts'
import { didYouMean } from '../../lib/nearest-name.ts'
import type { FaultScope } from './fault-scope.ts'
import { KEPT_ONLINE_MAX, LOOKUP_TIMEOUT_MS_MAX, LOOKUPS_PER_SECOND_MAX } from './limits.ts'
import { asRecord, described, type Fields, readFields } from './option-fields.ts'

const RANKED_TYPES: readonly string[] = ['int32', 'int64', 'float', 'double', 'timestamp']
const LOOKUP_TIMEOUT_MS = 200

/** `scope` is the view's, `options` are those of the view. */
export function checkOnlineRules(
  scope: FaultScope,
  options: Fields,
  features: readonly Feature[],
): Pick<FeatureView, 'online' | 'keepOnline' | 'onMiss'> {
  const online = readOnline(scope.in('online'), options['online'])
  for (const name of ['keepOnline', 'onMiss']) {
    if (!online && options[name] !== undefined) {
      scope
        .in(name)
        .add('the view is not online (online: false), so that there is nothing to keep or to miss; leave it out')
    }
  }
  const keepOnline = readKeepOnline(scope.in('keepOnline'), options['keepOnline'], features)
  const onMiss = readOnMiss(scope.in('onMiss'), options['onMiss'])
  return { online, ...(keepOnline === undefined ? {} : { keepOnline }), ...(onMiss === undefined ? {} : { onMiss }) }
}

/** true unless given. */
export function readOnline(scope: FaultScope, raw: unknown): boolean {
  if (raw !== undefined && typeof raw !== 'boolean') scope.add(`expected true or false, got ${described(raw)}`)
  return raw !== false
}

function readKeepOnline(scope: FaultScope, raw: unknown, features: readonly Feature[]): KeepOnline | undefined {
  if (raw === undefined) return undefined
  const { topBy, limit } = readFields(scope, raw, ['topBy', 'limit'])
  const names = features.map((feature) => feature.name)
  const feature = features.find(({ name }) => name === topBy)
  if (feature === undefined) {
    const hint = typeof topBy === 'string' ? didYouMean(topBy, names) : ''
    scope.in('topBy').add(`expected a feature of the view (it has ${names.join(', ')}), got ${described(topBy)}${hint}`)
  } else if (!RANKED_TYPES.includes(feature.type.kind)) {
    const type = typeName(feature.type)
    scope.in('topBy').add(`${feature.name} is ${type}; entities are ranked by one of ${RANKED_TYPES.join(', ')}`)
  }
  return { topBy: String(topBy), limit: readCount(scope.in('limit'), limit, KEPT_ONLINE_MAX) }
}

function readOnMiss(scope: FaultScope, raw: unknown): OfflineLookup | undefined {
  if (raw === undefined || raw === 'default') return undefined
  if (asRecord(raw)?.['offlineLookup'] === undefined) {
    scope.add(`expected 'default' or { offlineLookup: { budget: 50 } }, got ${described(raw)}`)
    return undefined
  }
  const lookup = scope.in('offlineLookup')
  const { offlineLookup } = readFields(scope, raw, ['offlineLookup'])
  const { budget, timeoutMs = LOOKUP_TIMEOUT_MS } = readFields(lookup, offlineLookup, ['budget', 'timeoutMs'])
  return {
    budgetPerSecond: readCount(lookup.in('budget'), budget, LOOKUPS_PER_SECOND_MAX),
    timeoutMs: readCount(lookup.in('timeoutMs'), timeoutMs, LOOKUP_TIMEOUT_MS_MAX),
  }
}

function readCount(scope: FaultScope, raw: unknown, max: number): number {
  if (typeof raw === 'number' && Number.isInteger(raw) && raw >= 1 && raw <= max) return raw
  scope.add(`expected a whole number from 1 to ${max}, got ${described(raw)}`)
  return 1
}
