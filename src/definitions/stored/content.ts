/**
 * What is stored of definitions, in two parts.
 *
 * The *content* says what the user wrote, features by name, and is what the fingerprint covers: equal definitions have equal
 * content in every store. The *layouts* say what this store made of it: the ordinal of every feature, which depends on the
 * order in which features came. Content is immutable and content-addressed; layouts only grow, and are kept in the log of
 * what was applied (`registry-log.ts`), so that two racing `apply` cannot give one fingerprint two layouts.
 */
import { createHash } from 'node:crypto'
import type { Entity, Feature, FeatureService, OnDemandView, Registry } from '../../domain/registry.ts'
import type { Draft, DraftView } from '../check/draft.ts'
import { canonicalJson, type Json } from './canonical-json.ts'
import type { ViewLayouts } from './layout.ts'

export const SNAPSHOT_FORMAT = 1

type Named<T extends { readonly name: string }> = Readonly<Record<string, Omit<T, 'name'>>>

interface ContentView extends Omit<DraftView, 'name' | 'features'> {
  readonly features: Named<Feature>
}

export interface Content {
  readonly snapshotFormat: typeof SNAPSHOT_FORMAT
  readonly entities: Named<Entity>
  readonly views: Readonly<Record<string, ContentView>>
  readonly onDemandViews: Named<OnDemandView>
  readonly services: Named<FeatureService>
}

export function contentOf(draft: Draft): Content {
  return {
    snapshotFormat: SNAPSHOT_FORMAT,
    entities: byName(draft.entities),
    views: Object.fromEntries(
      draft.views.map(({ name, features, ...view }) => [name, { ...view, features: byName(features) }]),
    ),
    onDemandViews: byName(draft.onDemandViews),
    services: byName(draft.services),
  }
}

/** The stored text of content. All of it is plain JSON: what a draft holds has been checked to be so. */
export function contentText(content: Content): string {
  return canonicalJson(content as unknown as Json)
}

/** 32 hex digits: the first half of the SHA-256 of the content and, where there are on-demand views, of their code. */
export function fingerprintOf(text: string, code: string | undefined): string {
  const hash = createHash('sha256').update(text)
  if (code !== undefined) hash.update('\n').update(code)
  return hash.digest('hex').slice(0, 32)
}

/** The registry of content under the layouts of its store; there must be a layout for every view. */
export function registryOf(content: Content, layouts: ViewLayouts, project: string, fingerprint: string): Registry {
  return {
    project,
    fingerprint,
    entities: namedMap(content.entities),
    views: new Map(
      Object.entries(content.views).map(([name, view]) => {
        const { features, schemaFeatureCounts } = layouts[name]!
        return [
          name,
          {
            name,
            ...view,
            features: features.map((feature) => ({ name: feature.name, ...view.features[feature.name]! })),
            schemaId: schemaFeatureCounts.length,
            schemaFeatureCounts,
          },
        ]
      }),
    ),
    onDemandViews: namedMap(content.onDemandViews),
    services: namedMap(content.services),
  }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): Named<T> {
  return Object.fromEntries(items.map(({ name, ...rest }) => [name, rest]))
}

function namedMap<T extends { readonly name: string }>(items: Named<T>): ReadonlyMap<string, T> {
  return new Map(Object.entries(items).map(([name, rest]) => [name, { name, ...rest } as T]))
}
