/** The entity rows of a request, read as its plan wants them; every fault of every column is reported at once. */
import { type Fault, faultsError } from '../domain/errors.ts'
import { typeName } from '../domain/value-type.ts'
import { didYouMean } from '../lib/nearest-name.ts'
import { type ColumnForm, readColumnForm } from './column-form.ts'
import { readFeatureValues } from './feature-column.ts'
import { type KeyColumn, readKeyColumn } from './key-column.ts'
import type { Plan, RequestColumn } from './plan.ts'
import type { RequestHead } from './request-head.ts'

export interface EntityColumns {
  readonly rowCount: number
  /** By index in `Plan.requestColumns`, where the column is a join key. */
  readonly keys: readonly (KeyColumn | undefined)[]
  /** By the same index: one value per entity row, where the column is a request feature and was given. */
  readonly features: readonly (readonly unknown[] | undefined)[]
}

/** Throws INVALID_ARGUMENT with all faults, or `WireError`. */
export function readEntityColumns(head: RequestHead, plan: Plan, entitiesMax: number): EntityColumns {
  const faults: Fault[] = []
  const forms = columnForms(head, plan, faults)
  const keys = new Array<KeyColumn | undefined>(forms.length).fill(undefined)
  const features = new Array<unknown[] | undefined>(forms.length).fill(undefined)
  const lengths: { readonly name: string; readonly count: number }[] = []
  for (let index = 0; index < forms.length; index++) {
    const column = plan.requestColumns[index]!
    const form = forms[index]
    if (form === undefined) {
      if (isNeeded(column))
        faults.push({ at: `columns.${column.name}`, problem: `not given; expected ${wanted(column)}` })
      continue
    }
    const faultsBefore = faults.length
    const onFault = (row: number, problem: string): void => {
      faults.push({ at: row < 0 ? `columns.${column.name}` : `columns.${column.name}[${row}]`, problem })
    }
    // One more than allowed is read, so that the excess is seen without reading all of it.
    if (column.keyType !== undefined) keys[index] = readKeyColumn(form, column.keyType, entitiesMax + 1, onFault)
    if (column.feature !== undefined)
      features[index] = readFeatureValues(form, column.feature, entitiesMax + 1, onFault)
    const count = keys[index]?.count ?? features[index]?.length ?? 0
    if (faults.length === faultsBefore || count > 0) lengths.push({ name: column.name, count })
  }
  const rowCount = commonLength(lengths, entitiesMax, faults)
  if (faults.length > 0)
    throw faultsError('INVALID_ARGUMENT', `the request's columns do not fit its selection:`, faults)
  return { rowCount, keys, features }
}

/** By index in `Plan.requestColumns`. */
function columnForms(head: RequestHead, plan: Plan, faults: Fault[]): (ColumnForm | undefined)[] {
  const forms = new Array<ColumnForm | undefined>(plan.requestColumns.length).fill(undefined)
  const { columnBounds } = head
  for (let at = 0; at < columnBounds.length; at += 2) {
    const form = readColumnForm(head.bytes, columnBounds[at]!, columnBounds[at + 1]!)
    const index = plan.columnIndexes.get(form.name)
    if (index === undefined) {
      faults.push(unknownColumn(Buffer.from(form.name, 'latin1').toString('utf8'), plan))
    } else if (forms[index] !== undefined) {
      faults.push({ at: `columns.${plan.requestColumns[index]!.name}`, problem: 'given twice' })
    } else forms[index] = form
  }
  return forms
}

function unknownColumn(name: string, plan: Plan): Fault {
  const names = plan.requestColumns.map((column) => column.name)
  const hint = didYouMean(name, names) || `; it needs ${names.join(', ')}`
  return { at: `columns.${name}`, problem: `not a join key or request feature of this selection${hint}` }
}

function isNeeded(column: RequestColumn): boolean {
  return column.keyType !== undefined || column.feature?.isRequired === true
}

function wanted(column: RequestColumn): string {
  return column.keyType === undefined
    ? `request feature of type ${typeName(column.feature!.type)}`
    : `join key of type ${column.keyType}`
}

function commonLength(
  lengths: readonly { readonly name: string; readonly count: number }[],
  entitiesMax: number,
  faults: Fault[],
): number {
  const first = lengths[0]
  if (first === undefined) return 0
  for (const { name, count } of lengths) {
    if (count > entitiesMax) {
      const problem = `more than ${entitiesMax} entity rows (entities-max); send them in several requests`
      faults.push({ at: `columns.${name}`, problem })
    } else if (count !== first.count) {
      const problem = `has ${count} values, but column ${first.name} has ${first.count}`
      faults.push({ at: `columns.${name}`, problem })
    }
  }
  return first.count
}
