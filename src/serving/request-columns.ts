import type { KeyType } from '../domain/entity-key.ts'
import type { Fault } from '../domain/errors.ts'
import type { Feature } from '../domain/registry.ts'
import { sameType, typeName } from '../domain/value-type.ts'
import type { RequestColumn } from './plan.ts'

/** Collects the columns that a selection needs from a request; one column may serve several views. */
export class RequestColumns {
  readonly list: RequestColumn[] = []
  /** Columns that two views want with different types. */
  readonly faults: Fault[] = []

  /** The column's index. */
  addKey(name: string, keyType: KeyType, view: string): number {
    return this.merge(name, (column) => {
      if (column.keyType !== undefined && column.keyType !== keyType) {
        this.clash(name, `view ${view} has it as ${keyType}, another view as ${column.keyType}`)
      }
      return { ...column, keyType }
    })
  }

  addFeature(feature: Feature, view: string): number {
    return this.merge(feature.name, (column) => {
      const other = column.feature
      if (other !== undefined && !sameType(other.type, feature.type)) {
        const types = `${typeName(feature.type)}, another as ${typeName(other.type)}`
        this.clash(feature.name, `on-demand view ${view} has it as ${types}`)
      }
      return {
        ...column,
        feature: {
          type: feature.type,
          isRequired: feature.default === undefined || (other?.isRequired ?? false),
          allowNaN: feature.allowNaN === true && (other?.allowNaN ?? true),
        },
      }
    })
  }

  private merge(name: string, change: (column: RequestColumn) => RequestColumn): number {
    const known = this.list.findIndex((column) => column.name === name)
    const index = known < 0 ? this.list.push({ name }) - 1 : known
    this.list[index] = change(this.list[index]!)
    return index
  }

  private clash(name: string, problem: string): void {
    this.faults.push({ at: `columns.${name}`, problem: `${problem}; ask for them in separate requests` })
  }
}
