/** What the columns of an answer are: sent once per selection, and worked out once for all answers that have it. */
import { parseTypeName, tensorWidth, type ValueType } from '../domain/value-type.ts'
import { decodeMessage } from './protocol.ts'

export type SlotStatusName = 'PRESENT' | 'NULL' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'UNAVAILABLE'

export interface Layout {
  /** Decimal. */
  readonly id: string
  readonly fingerprint: string
  readonly columns: readonly LayoutColumn[]
  readonly views: readonly string[]
}

export interface LayoutColumn {
  readonly name: string
  readonly view: string
  readonly feature: string
  readonly type: string
  readonly valueType: ValueType
}

/** A layout with what reading an answer needs of it for every row. */
export interface AnswerLayout {
  readonly layout: Layout
  readonly names: readonly string[]
  readonly types: readonly ValueType[]
  /**
   * Every column by name, null. A row is a copy of it whose values are then set: the engine copies the shape as a whole (of up to
   * 1,000 names), where an object that grows by one name after the other becomes a hash table, which takes twice as long.
   */
  readonly blankValues: Readonly<Record<string, null>>
  /** The statuses of all rows that have only values that are PRESENT; frozen, because they share it. */
  readonly allPresent: Readonly<Record<string, SlotStatusName>>
  /** One per column of a tensor; a vector's are `name[0]`, `name[1]`, ... */
  readonly tensorNames: readonly string[]
}

/** From a serialized `Layout`. */
export function readLayout(bytes: Buffer): AnswerLayout {
  const message = decodeMessage<Layout>('Layout', bytes)
  const columns = message.columns.map((column) => ({
    ...column,
    valueType: parseTypeName(column.type) ?? { kind: 'bytes' as const },
  }))
  const names = columns.map(({ name }) => name)
  return {
    layout: { ...message, columns },
    names,
    types: columns.map(({ valueType }) => valueType),
    blankValues: Object.fromEntries(names.map((name) => [name, null])),
    allPresent: Object.freeze(Object.fromEntries(names.map((name) => [name, 'PRESENT' as const]))),
    tensorNames: columns.flatMap(tensorNames),
  }
}

function tensorNames({ name, valueType }: LayoutColumn): string[] {
  if (valueType.kind !== 'vector') return [name]
  return Array.from({ length: tensorWidth(valueType) }, (_, index) => `${name}[${index}]`)
}
