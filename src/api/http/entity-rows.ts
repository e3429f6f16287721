/**
 * The `entities` of a request: rows as objects (`[{"origin": "ATL"}, ...]`), or columns as arrays (`{"origin": ["ATL", ...]}`), which many
 * rows are shorter in. Every fault is reported at once, at its place in the JSON.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import { encodeValue, type FeatureValue } from '../../domain/value-codec.ts'
import { didYouMean, quotedName } from '../../lib/nearest-name.ts'
import { lengthField, varint64Bytes } from '../../lib/wire.ts'
import { FaultList } from '../../writing/fault-list.ts'
import type { JsonReader } from './json-reader.ts'
import type { EntityColumnSpec } from './selection.ts'
import { ValueReader } from './value-json.ts'

/** Fields of `Column`. */
const COLUMN = { name: 1, strings: 2, int64s: 3, list: 6 }

const SUMMARY = 'the entities do not fit what is asked for:'

interface ReadColumn extends EntityValues {
  readonly values: (FeatureValue | null | undefined)[]
  /** The last row that gave it. */
  lastRow: number
}

/** A column of the request, and its values by row; undefined where a row does not give it. */
export interface EntityValues {
  readonly spec: EntityColumnSpec
  readonly values: readonly (FeatureValue | null | undefined)[]
}

export function readEntities(json: JsonReader, specs: ReadonlyMap<string, EntityColumnSpec>): readonly EntityValues[] {
  const kind = json.kind()
  if (kind !== 'array' && kind !== 'object') {
    const problem = `entities: expected an array of rows or an object of columns, got ${json.skipped()}`
    throw new TwinstoreError('INVALID_ARGUMENT', problem)
  }
  const reader = new EntitiesReader(json, specs)
  const columns = kind === 'array' ? reader.rows() : reader.columns()
  if (reader.faults.count > 0) throw reader.faults.error(SUMMARY)
  return columns
}

class EntitiesReader {
  readonly faults = new FaultList()
  readonly #json: JsonReader
  readonly #specs: ReadonlyMap<string, EntityColumnSpec>
  readonly #values: ValueReader
  readonly #columns = new Map<string, ReadColumn>()

  constructor(json: JsonReader, specs: ReadonlyMap<string, EntityColumnSpec>) {
    this.#json = json
    this.#specs = specs
    this.#values = new ValueReader(json)
  }

  rows(): ReadColumn[] {
    let count = 0
    this.#json.enterArray()
    for (; this.#json.nextItem(); count++) {
      if (this.#json.kind() !== 'object') {
        this.faults.add(`entities[${count}]`, `expected an object, got ${this.#json.skipped()}`)
      } else this.#row(count)
    }
    for (const spec of this.#specs.values()) this.#completeRows(spec, count)
    return [...this.#columns.values()]
  }

  columns(): ReadColumn[] {
    this.#json.enterObject()
    for (let name = this.#json.nextName(); name !== undefined; name = this.#json.nextName()) {
      const column = this.#columnNamed(name, `entities.${quoted(name)}`, 0)
      if (column === undefined) this.#json.skip()
      else this.#valuesOf(column)
    }
    for (const spec of this.#specs.values()) {
      if (spec.isRequired && !this.#columns.has(spec.name)) this.faults.add('entities', notGiven(spec))
    }
    const [first, ...others] = [...this.#columns.values()]
    for (const { spec, values } of others) {
      if (values.length === first!.values.length) continue
      const problem = `has ${values.length} values, but ${first!.spec.name} has ${first!.values.length}`
      this.faults.add(`entities.${spec.name}`, problem)
    }
    return [...this.#columns.values()]
  }

  #row(row: number): void {
    this.#json.enterObject()
    for (let name = this.#json.nextName(); name !== undefined; name = this.#json.nextName()) {
      const column = this.#columnNamed(name, `entities[${row}].${quoted(name)}`, row)
      if (column === undefined) this.#json.skip()
      else column.values[row] = this.#value(column.spec, `entities[${row}].${name}`)
    }
  }

  #valuesOf({ spec, values }: ReadColumn): void {
    if (this.#json.kind() !== 'array') {
      this.faults.add(`entities.${spec.name}`, `expected an array, a value for each row, got ${this.#json.skipped()}`)
      return
    }
    this.#json.enterArray()
    while (this.#json.nextItem()) values.push(this.#value(spec, `entities.${spec.name}[${values.length}]`))
  }

  #value(spec: EntityColumnSpec, at: string): FeatureValue | null | undefined {
    const value = this.#values.read(spec.type)
    const { problem } = this.#values
    if (problem !== undefined) this.faults.add(at, problem)
    return value
  }

  /** Undefined, with a fault, for a name that is unknown or was given before. */
  #columnNamed(name: string, at: string, row: number): ReadColumn | undefined {
    const spec = this.#specs.get(name)
    if (spec === undefined) {
      const names = this.faults.full ? [] : [...this.#specs.keys()]
      const hint = didYouMean(name, names) || `; it takes ${names.join(', ')}`
      this.faults.add(at, `not a join key or request feature of what is asked for${hint}`)
      return undefined
    }
    const known = this.#columns.get(name)
    if (known === undefined) {
      const made = { spec, values: [], lastRow: row }
      this.#columns.set(name, made)
      return made
    }
    if (known.lastRow === row) {
      this.faults.add(at, 'given twice')
      return undefined
    }
    known.lastRow = row
    return known
  }

  #completeRows(spec: EntityColumnSpec, count: number): void {
    const values = this.#columns.get(spec.name)?.values
    if (values === undefined && spec.isRequired && count > 0) this.faults.add('entities', notGiven(spec))
    // A column that is asked for has to be there, if only without values.
    if (values === undefined && spec.isRequired) this.#columns.set(spec.name, { spec, values: [], lastRow: -1 })
    if (values === undefined) return
    values.length = count
    if (!spec.isRequired) return
    for (let row = 0; row < count; row++) {
      if (!(row in values)) this.faults.add(`entities[${row}].${spec.name}`, `not given; ${expected(spec)}`)
    }
  }
}

function notGiven(spec: EntityColumnSpec): string {
  return `${spec.name} is not given; ${expected(spec)}`
}

function expected({ type }: EntityColumnSpec): string {
  return `expected ${type.kind === 'list' || type.kind === 'vector' ? 'a list' : type.kind}`
}

/** A name as a path has it; what would be hard to read there is quoted and cut. */
function quoted(name: string): string {
  return /^\w{1,100}$/.test(name) ? name : quotedName(name)
}

/** A serialized `Column`. */
export function encodeColumn({ spec, values }: EntityValues): Buffer {
  const { name, type } = spec
  const encodedName = lengthField(COLUMN.name, Buffer.from(name))
  const isWhole = !values.includes(null) && !values.includes(undefined)
  if (isWhole && type.kind === 'string' && (values as string[]).every((value) => value.isWellFormed())) {
    const strings = (values as string[]).map((value) => lengthField(1, Buffer.from(value)))
    return Buffer.concat([encodedName, lengthField(COLUMN.strings, Buffer.concat(strings))])
  }
  if (isWhole && type.kind === 'int64') {
    const packed = lengthField(1, Buffer.concat((values as bigint[]).map(varint64Bytes)))
    return Buffer.concat([encodedName, lengthField(COLUMN.int64s, packed)])
  }
  const faults = new FaultList()
  const items = Array.from(values, (value, row) => {
    const bytes = encodeValue(type, value)
    if (typeof bytes !== 'string') return lengthField(1, bytes)
    faults.add(`entities[${row}].${name}`, bytes)
    return Buffer.alloc(0)
  })
  if (faults.count > 0) throw faults.error(SUMMARY)
  return Buffer.concat([encodedName, lengthField(COLUMN.list, Buffer.concat(items))])
}
