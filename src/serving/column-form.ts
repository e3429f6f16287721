/** One `Column` of a request as it stands in the request's bytes: its name, and which form its values have. */
import { fieldTypeName } from '../domain/value-type.ts'
import { WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT, WireError, WireReader } from '../lib/wire.ts'

const FORMS = ['none', 'name', 'strings', 'int64s', 'doubles', 'bools', 'list'] as const
export type Form = Exclude<(typeof FORMS)[number], 'name'>

export interface ColumnForm {
  /** UTF-8 bytes, one latin-1 character a byte. */
  readonly name: string
  /** `none` where the column has no values at all. */
  readonly form: Form
  /** Where the list message is in `bytes`. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

export function readColumnForm(bytes: Buffer, start: number, end: number): ColumnForm {
  const reader = new WireReader(bytes, start, end)
  let name = ''
  let form: Form = 'none'
  let listStart = 0
  let listEnd = 0
  while (reader.next()) {
    if (reader.field >= FORMS.length) {
      reader.skip()
      continue
    }
    const fieldEnd = reader.readLength() + reader.position
    if (reader.field === 1) name = bytes.toString('latin1', reader.position, fieldEnd)
    else {
      // A generic decoder would merge or drop one of two lists; neither is what the sender can have meant.
      if (form !== 'none') throw new WireError(`column ${name} has two lists of values`)
      form = FORMS[reader.field] as Form
      listStart = reader.position
      listEnd = fieldEnd
    }
    reader.position = fieldEnd
  }
  return { name, form, bytes, start: listStart, end: listEnd }
}

const ITEM_WIRE_TYPE = {
  strings: WIRE_LENGTH,
  list: WIRE_LENGTH,
  int64s: WIRE_VARINT,
  bools: WIRE_VARINT,
  doubles: WIRE_FIXED64,
}

/**
 * Calls `read` with a reader that stands before each item of `repeated T val = 1`, packed or not, and stops after
 * `countMax` items. `read` must read exactly the item; strings and messages are read with `readBytes`.
 */
export function eachItem(
  column: ColumnForm,
  countMax: number,
  read: (reader: WireReader, index: number) => void,
): void {
  if (column.form === 'none') return
  const wireType = ITEM_WIRE_TYPE[column.form]
  const reader = new WireReader(column.bytes, column.start, column.end)
  let index = 0
  while (index < countMax && reader.next()) {
    if (reader.field !== 1) {
      reader.skip()
    } else if (reader.wireType === wireType) {
      read(reader, index++)
    } else {
      const packedEnd = reader.readLength() + reader.position
      reader.wireType = wireType
      while (index < countMax && reader.position < packedEnd) read(reader, index++)
      if (reader.position > packedEnd) throw new WireError(`a number of column ${column.name} is cut off`)
    }
  }
}

/** The name of the type a serialized `Value` has, for a message about it. */
export function valueTypeName(value: Buffer): string {
  if (value.length === 0) return 'a missing value'
  const reader = new WireReader(value)
  reader.next()
  return fieldTypeName(reader.field)
}
