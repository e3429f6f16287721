/** The applied definitions as `Describe` gives them. */
import type {
  ColumnSchema,
  Description,
  OnDemandDescription,
  ServiceDescription,
  ViewDescription,
} from '../domain/description.ts'
import {
  columnName,
  type FeatureService,
  type FeatureView,
  type OnDemandView,
  type Registry,
  requestColumn,
  type ServiceMember,
} from '../domain/registry.ts'
import { typeName, type ValueType } from '../domain/value-type.ts'
import { viewUses } from './service-spine.ts'

export function describe(registry: Registry): Description {
  return {
    project: registry.project,
    fingerprint: registry.fingerprint,
    views: [...registry.views.values()].map(describeView),
    services: [...registry.services.values()].map((service) => describeService(registry, service)),
    onDemandViews: [...registry.onDemandViews.values()].map(describeOnDemand),
  }
}

function describeView(view: FeatureView): ViewDescription {
  return {
    name: view.name,
    version: view.version,
    joinKeys: view.joinKeys.map((key) => ({ name: key.name, type: key.type })),
    features: schemas(view.features),
    ttlSeconds: (view.ttlMicros ?? 0) / 1e6,
    onStale: view.onStale,
    hasSource: view.source !== undefined,
    description: view.description ?? '',
  }
}

function describeService(registry: Registry, service: FeatureService): ServiceDescription {
  const keys = viewUses(registry, service).flatMap((use) =>
    registry.views.get(use.view)!.joinKeys.map((key) => ({ name: requestColumn(use, key.name), type: key.type })),
  )
  const request = service.members.flatMap((member) =>
    member.kind === 'onDemand' ? schemas(registry.onDemandViews.get(member.view)!.request) : [],
  )
  return {
    name: service.name,
    entityColumns: distinct(keys),
    requestColumns: distinct(request),
    features: service.members.flatMap((member) => memberColumns(registry, member)),
    description: service.description ?? '',
  }
}

function memberColumns(registry: Registry, member: ServiceMember): ColumnSchema[] {
  const [prefix, features, picked] =
    member.kind === 'view'
      ? [member.use.as, registry.views.get(member.use.view)!.features, member.use.features]
      : [member.view, registry.onDemandViews.get(member.view)!.features, member.features]
  const names = picked ?? features.map((feature) => feature.name)
  return names.map((name) => ({
    name: columnName(prefix, name),
    type: typeName(features.find((feature) => feature.name === name)!.type),
  }))
}

function describeOnDemand(view: OnDemandView): OnDemandDescription {
  return {
    name: view.name,
    inputs: view.inputs.map((use) => use.as),
    request: schemas(view.request),
    features: schemas(view.features),
    description: view.description ?? '',
  }
}

function schemas(features: readonly { readonly name: string; readonly type: ValueType }[]): ColumnSchema[] {
  return features.map((feature) => ({ name: feature.name, type: typeName(feature.type) }))
}

function distinct(columns: readonly ColumnSchema[]): ColumnSchema[] {
  return [...new Map(columns.map((column) => [column.name, column])).values()]
}
