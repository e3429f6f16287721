import type { Feature, OnDemandView, ViewUse } from '../../domain/registry.ts'
import { declarationOf, type OnDemandDeclaration } from '../builders/declarations.ts'
import type { FaultScope } from './fault-scope.ts'
import { checkFeatures } from './features.ts'
import { MEMBERS_PER_SERVICE_MAX } from './limits.ts'
import { checkColumnName } from './names.ts'
import { described, readDescription, readFields } from './option-fields.ts'
import type { ReferredView } from './references.ts'
import { addRequestColumns, checkViewUse, type RequestColumns } from './view-uses.ts'

export type ViewFinder = (scope: FaultScope, raw: unknown) => ReferredView | undefined

export function checkOnDemandView(scope: FaultScope, declared: OnDemandDeclaration, viewOf: ViewFinder): OnDemandView {
  const options = readFields(scope, declared.options, ['inputs', 'request', 'features', 'compute', 'description'])
  const columns: RequestColumns = new Map()
  const inputs = checkInputs(scope.in('inputs'), options['inputs'], viewOf, columns)
  const request = options['request'] === undefined ? [] : checkFeatures(scope.in('request'), options['request'], 0)
  checkRequestColumns(scope.in('request'), request, columns)
  const features = checkFeatures(scope.in('features'), options['features'], 1)
  checkNoDefaults(scope.in('features'), features)
  if (typeof options['compute'] !== 'function') {
    scope.in('compute').add(`expected a function of the row, got ${described(options['compute'])}`)
  }
  return {
    name: checkColumnName(scope, declared.name),
    inputs,
    request,
    features,
    ...readDescription(scope, options['description']),
  }
}

function checkInputs(scope: FaultScope, raw: unknown, viewOf: ViewFinder, columns: RequestColumns): ViewUse[] {
  if (!Array.isArray(raw)) {
    scope.add(`expected a list of feature views, got ${described(raw)}`)
    return []
  }
  if (raw.length > MEMBERS_PER_SERVICE_MAX) scope.add(`${raw.length} inputs; at most ${MEMBERS_PER_SERVICE_MAX}`)
  const inputs: ViewUse[] = []
  raw.forEach((item, index) => {
    const declared = declarationOf(item)
    const use = declared?.kind === 'use' ? declared : undefined
    const inputScope = scope.in(String(index), use?.stack)
    const found = viewOf(inputScope, use?.of ?? item)
    if (found?.kind === 'onDemand') inputScope.add(`${found.view.name} is an on-demand view; inputs are feature views`)
    if (found?.kind !== 'view') return
    const input = checkViewUse(inputScope, found.view, use)
    if (inputs.some((other) => other.as === input.as)) {
      inputScope.add(`two inputs are called ${input.as}; give one an alias: .as('...')`)
    }
    addRequestColumns(inputScope, columns, input, found.view)
    inputs.push(input)
  })
  return inputs
}

/** Request features travel in columns of the request beside the join keys. */
export function checkRequestColumns(scope: FaultScope, request: readonly Feature[], columns: RequestColumns): void {
  for (const feature of request) {
    const key = columns.get(feature.name)
    if (key !== undefined) {
      scope.in(feature.name).add(`${feature.name} is the request column from which ${key.reader} reads a join key`)
    }
  }
}

/** A computation's result is there or null, so that a default could never stand in. */
function checkNoDefaults(scope: FaultScope, features: readonly Feature[]): void {
  for (const feature of features) {
    if (feature.default !== undefined) {
      scope.in(feature.name).add('a computed feature has no default; let compute return the value')
    }
  }
}
