/** Uses of views: alias, join-key map and picked features, held against the view they are of. */
import type { KeyType } from '../../domain/entity-key.ts'
import { requestColumn, type ViewUse } from '../../domain/registry.ts'
import { didYouMean } from '../../lib/nearest-name.ts'
import type { UseDeclaration } from '../builders/declarations.ts'
import type { DraftView } from './draft.ts'
import type { FaultScope } from './fault-scope.ts'
import { checkColumnName } from './names.ts'
import { asRecord, described } from './option-fields.ts'

/** Without a declaration the view is used whole and under its own name. */
export function checkViewUse(scope: FaultScope, view: DraftView, declared: UseDeclaration | undefined): ViewUse {
  const alias = declared?.alias === undefined ? view.name : checkColumnName(scope, declared.alias)
  return {
    view: view.name,
    as: alias,
    joinKeyMap: checkJoinKeyMap(scope, view, declared?.joinKeyMap),
    ...checkPicked(scope, view, declared?.features),
  }
}

function checkJoinKeyMap(scope: FaultScope, view: DraftView, raw: unknown): Readonly<Record<string, string>> {
  if (raw === undefined) return {}
  const record = asRecord(raw)
  if (record === undefined) {
    scope.add(`expected a join-key map such as { airport: 'origin' }, got ${described(raw)}`)
    return {}
  }
  const names = view.joinKeys.map((key) => key.name)
  const map: Record<string, string> = {}
  for (const [joinKey, column] of Object.entries(record)) {
    if (!names.includes(joinKey)) {
      scope.add(`${view.name} has no join key ${joinKey} (it has ${names.join(', ')})${didYouMean(joinKey, names)}`)
    } else if (column !== undefined) {
      const name = checkColumnName(scope.in(`joinKeyMap.${joinKey}`), column)
      // A key mapped to its own name is the same definition as one that is not mapped.
      if (name !== joinKey) map[joinKey] = name
    }
  }
  return map
}

/** The picked features of a view or an on-demand view; nothing if all of them are asked for. */
export function checkPicked(
  scope: FaultScope,
  view: { readonly name: string; readonly features: readonly { readonly name: string }[] },
  picked: readonly unknown[] | undefined,
): { readonly features?: readonly string[] } {
  if (picked === undefined) return {}
  if (picked.length === 0) scope.add(`no feature of ${view.name} is picked`)
  const known = view.features.map((feature) => feature.name)
  const names: string[] = []
  for (const name of picked) {
    if (typeof name !== 'string' || !known.includes(name)) {
      const hint = typeof name === 'string' ? didYouMean(name, known) : ''
      scope.add(`${view.name} has no feature ${described(name)}${hint}`)
    } else if (names.includes(name)) scope.add(`feature ${name} of ${view.name} is picked twice`)
    else names.push(name)
  }
  return { features: names }
}

/** The request columns that uses read, with their types. */
export type RequestColumns = Map<string, { readonly type: KeyType; readonly reader: string }>

/** Adds what a use reads; a column that two uses read as different types is a fault. */
export function addRequestColumns(scope: FaultScope, columns: RequestColumns, use: ViewUse, view: DraftView): void {
  for (const key of view.joinKeys) {
    const column = requestColumn(use, key.name)
    const other = columns.get(column)
    if (other === undefined) columns.set(column, { type: key.type, reader: use.as })
    else if (other.type !== key.type) {
      scope.add(
        `reads ${key.name} (${key.type}) from request column ${column}, which ${other.reader} reads as ${other.type}`,
      )
    }
  }
}
