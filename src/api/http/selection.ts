/** What a selection of features asks of a request and answers with, as far as JSON has to know it; kept per selection. */
import { LRUCache } from 'lru-cache'
import type { DefinitionsSource } from '../../domain/definitions-source.ts'
import { type Registry, requestColumn, type ServiceMember, type ViewUse } from '../../domain/registry.ts'
import type { ValueType } from '../../domain/value-type.ts'
import { type Selection, selectedMembers } from '../../serving/selection.ts'
import type { AnswerLayout } from './answer-layout.ts'

/** A column that the entities of a request give. */
export interface EntityColumnSpec {
  readonly name: string
  readonly type: ValueType
  /** A join key, or a request feature that some on-demand view has no default for. */
  readonly isRequired: boolean
}

export interface KnownSelection {
  readonly columns: ReadonlyMap<string, EntityColumnSpec>
  /** The layout of the last answer; the next request says that it is known. */
  layout: AnswerLayout | undefined
}

export interface SelectionCacheOptions {
  /** Estimated bytes of what is kept (option `http-selection-cache-bytes`). */
  readonly bytesMax: number
  /** Option `features-max`. */
  readonly featuresMax: number
}

/** A column's share of what is kept, generously. */
const COLUMN_BYTES = 512

/**
 * Throws what the read path throws for a selection that cannot be. For as long as the definitions are the same object, like plans; the
 * least recently used leaves first. Failures are not kept.
 */
export function createSelectionCache(
  definitions: DefinitionsSource,
  { bytesMax, featuresMax }: SelectionCacheOptions,
): (selection: Selection) => KnownSelection {
  const known = new LRUCache<string, KnownSelection>({ maxSize: bytesMax })
  let madeFrom = definitions.current.registry
  return (selection) => {
    const { registry } = definitions.current
    if (registry !== madeFrom) {
      known.clear()
      madeFrom = registry
    }
    const key = selectionKey(selection)
    const found = known.get(key)
    if (found !== undefined) return found
    const members = selectedMembers(registry, selection, featuresMax)
    const made: KnownSelection = { columns: entityColumns(registry, members), layout: undefined }
    known.set(key, made, {
      size: key.length + COLUMN_BYTES * (1 + made.columns.size + featureCount(registry, members)),
    })
    return made
  }
}

function selectionKey(selection: Selection): string {
  return selection.kind === 'service' ? `s${selection.name}` : `f${JSON.stringify(selection.references)}`
}

/** What rows of entities give. Two members that want a column with different types are refused by the read path; here the last one counts. */
export function entityColumns(
  registry: Registry,
  members: readonly ServiceMember[],
): ReadonlyMap<string, EntityColumnSpec> {
  const columns = new Map<string, EntityColumnSpec>()
  const addKeys = (use: ViewUse): void => {
    for (const key of registry.views.get(use.view)?.joinKeys ?? []) {
      const name = requestColumn(use, key.name)
      columns.set(name, { name, type: { kind: key.type }, isRequired: true })
    }
  }
  for (const member of members) {
    if (member.kind === 'view') {
      addKeys(member.use)
      continue
    }
    const view = registry.onDemandViews.get(member.view)
    for (const input of view?.inputs ?? []) addKeys(input)
    for (const { name, type, default: standIn } of view?.request ?? []) {
      const isRequired = standIn === undefined || (columns.get(name)?.isRequired ?? false)
      columns.set(name, { name, type, isRequired })
    }
  }
  return columns
}

function featureCount(registry: Registry, members: readonly ServiceMember[]): number {
  const all = (member: ServiceMember) =>
    member.kind === 'view' ? registry.views.get(member.use.view) : registry.onDemandViews.get(member.view)
  const picked = (member: ServiceMember) => (member.kind === 'view' ? member.use.features : member.features)
  return members.reduce((sum, member) => sum + (picked(member) ?? all(member)?.features ?? []).length, 0)
}
