import type { Entity, Feature, JoinKey, OnStale } from '../../domain/registry.ts'
import type { ViewDeclaration } from '../builders/declarations.ts'
import type { DraftView } from './draft.ts'
import type { FaultScope } from './fault-scope.ts'
import { checkFeatures } from './features.ts'
import { JOIN_KEYS_PER_VIEW_MAX, VIEW_VERSION_MAX } from './limits.ts'
import { checkColumnName } from './names.ts'
import { checkOnlineRules } from './online-rules.ts'
import { described, readChoice, readDescription, readFields } from './option-fields.ts'
import { checkSource } from './sources.ts'
import { readTimes } from './sync-rules.ts'

const OPTIONS = [
  'version',
  'entities',
  'ttl',
  'onStale',
  'features',
  'source',
  'sync',
  'partitionBy',
  'online',
  'keepOnline',
  'onMiss',
  'description',
]
const ON_STALE: readonly OnStale[] = ['serve', 'null', 'default', 'reject']

/** `entityOf` finds the entity that a user referred to, or adds a fault. */
export function checkView(
  scope: FaultScope,
  declared: ViewDeclaration,
  entityOf: (scope: FaultScope, raw: unknown) => Entity | undefined,
): DraftView {
  const options = readFields(scope, declared.options, OPTIONS)
  const entities = checkEntities(scope.in('entities'), options['entities'], entityOf)
  const joinKeys = joinKeysOf(scope.in('entities'), entities)
  const features = checkFeatures(scope.in('features'), options['features'], 1)
  checkKeysAgainstFeatures(scope.in('features'), joinKeys, features)
  const onStale = readChoice(scope.in('onStale'), options['onStale'], ON_STALE, 'serve')
  if (onStale === 'default') checkDefaults(scope.in('onStale'), features)
  return {
    name: checkColumnName(scope, declared.name),
    version: readVersion(scope.in('version'), options['version']),
    entities: entities.map((entity) => entity.name),
    joinKeys,
    features,
    onStale,
    ...readTimes(scope, options),
    ...(options['source'] === undefined ? {} : sourceField(scope.in('source'), options['source'])),
    partitionBy: readChoice(scope.in('partitionBy'), options['partitionBy'], ['day', 'month'], 'day'),
    ...checkOnlineRules(scope, options, features),
    ...readDescription(scope, options['description']),
  }
}

function checkEntities(
  scope: FaultScope,
  raw: unknown,
  entityOf: (scope: FaultScope, raw: unknown) => Entity | undefined,
): Entity[] {
  if (!Array.isArray(raw) || raw.length === 0) {
    scope.add(`expected a list of at least one entity, got ${described(raw)}`)
    return []
  }
  return raw.map((item, index) => entityOf(scope.in(String(index)), item)).filter((entity) => entity !== undefined)
}

function joinKeysOf(scope: FaultScope, entities: readonly Entity[]): JoinKey[] {
  const keys = new Map<string, JoinKey>()
  for (const entity of entities) {
    for (const key of entity.joinKeys) {
      if (keys.has(key.name)) scope.add(`join key ${key.name} comes from two entities of the view`)
      keys.set(key.name, key)
    }
  }
  if (keys.size > JOIN_KEYS_PER_VIEW_MAX) scope.add(`${keys.size} join keys; at most ${JOIN_KEYS_PER_VIEW_MAX}`)
  // Names are ASCII, so that comparing them as strings is the byte order that entity keys have.
  return [...keys.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function checkKeysAgainstFeatures(scope: FaultScope, joinKeys: readonly JoinKey[], features: readonly Feature[]): void {
  for (const feature of features) {
    if (joinKeys.some((key) => key.name === feature.name)) {
      scope.in(feature.name).add(`${feature.name} is a join key of the view; a feature needs another name`)
    }
  }
}

function checkDefaults(scope: FaultScope, features: readonly Feature[]): void {
  const without = features.filter((feature) => feature.default === undefined).map((feature) => feature.name)
  if (without.length > 0) {
    scope.add(
      `'default' needs a default for every feature; ${without.join(', ')} ${without.length > 1 ? 'have' : 'has'} none`,
    )
  }
}

function sourceField(scope: FaultScope, raw: unknown): Pick<DraftView, 'source'> {
  const source = checkSource(scope, raw)
  return source === undefined ? {} : { source }
}

function readVersion(scope: FaultScope, raw: unknown): number {
  if (raw === undefined) return 1
  if (typeof raw === 'number' && Number.isInteger(raw) && raw >= 1 && raw <= VIEW_VERSION_MAX) return raw
  scope.add(`a version is a whole number from 1 to ${VIEW_VERSION_MAX}, got ${described(raw)}`)
  return 1
}
