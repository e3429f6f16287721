/**
 * A join-key column of a request as parts of row keys, made from the request's bytes without decoding a string.
 *
 * The usual column, `strings` with every string shorter than 128 bytes, stays where it is: the wire form of a string (`0x0a`, length,
 * bytes) differs from its key part (`S`, length, bytes) in the first byte only, so that keys are looked up by its bytes.
 */
import { isUtf8 } from 'node:buffer'
import { int64KeyPart, type KeyType, type KeyValue, keyPart, stringKeyPart } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { decodeValue } from '../domain/value-codec.ts'
import { WireError, type WireReader } from '../lib/wire.ts'
import { type ColumnForm, eachItem, valueTypeName } from './column-form.ts'

const FORM_OF: Readonly<Record<KeyType, ColumnForm['form']>> = { string: 'strings', int64: 'int64s' }

export type KeyColumn = KeyParts | ShortStrings

/** One part per entity row. */
export interface KeyParts {
  readonly count: number
  readonly parts: readonly string[]
}

export interface ShortStrings {
  readonly count: number
  readonly bytes: Buffer
  /** For each entity row, where the length of its string is in `bytes`; the string follows. */
  readonly starts: readonly number[]
}

/** At most `countMax` values. `onFault` gets the index of a faulty value, or -1 for the whole column. */
export function readKeyColumn(
  column: ColumnForm,
  type: KeyType,
  countMax: number,
  onFault: (index: number, problem: string) => void,
): KeyColumn {
  const short = type === 'string' && column.form === 'strings' ? shortStrings(column, countMax) : undefined
  if (short !== undefined) return short
  const parts = readKeyParts(column, type, countMax, onFault)
  return { count: parts.length, parts }
}

export function keyParts(column: KeyColumn): readonly string[] {
  if ('parts' in column) return column.parts
  const { bytes, starts } = column
  return starts.map((start) => `S${bytes.toString('latin1', start, start + 1 + bytes[start]!)}`)
}

function readKeyParts(
  column: ColumnForm,
  type: KeyType,
  countMax: number,
  onFault: (index: number, problem: string) => void,
): string[] {
  const parts: string[] = []
  if (column.form === 'list') {
    eachItem(column, countMax, (reader, index) => {
      const part = partOfValue(type, reader.readBytes())
      if (part.problem !== undefined) onFault(index, part.problem)
      parts.push(part.key)
    })
  } else if (column.form !== 'none' && column.form !== FORM_OF[type]) {
    onFault(-1, `expected ${type} (as ${FORM_OF[type]} or list), got ${column.form}`)
  } else if (type === 'int64') {
    eachItem(column, countMax, (reader) => {
      reader.readVarint64()
      parts.push(int64KeyPart(reader.high, reader.low))
    })
  } else {
    eachItem(column, countMax, (reader, index) => parts.push(partOfString(reader, index, onFault)))
  }
  return parts
}

/** Undefined if the column needs the general way. */
function shortStrings({ bytes, start, end }: ColumnForm, countMax: number): ShortStrings | undefined {
  // Around every string are the ASCII bytes of its tag and length, so all are UTF-8 if the whole is.
  if (!isUtf8(bytes.subarray(start, end))) return undefined
  const starts: number[] = []
  let at = start
  while (at < end && starts.length < countMax) {
    if (bytes[at] !== 0x0a || at + 1 >= end) return undefined
    const length = bytes[at + 1]!
    if (length >= 0x80 || at + 2 + length > end) return undefined
    starts.push(at + 1)
    at += 2 + length
  }
  return { count: starts.length, bytes, starts }
}

function partOfString(reader: WireReader, index: number, onFault: (index: number, problem: string) => void): string {
  const string = reader.readBytes()
  if (!isUtf8(string)) onFault(index, 'not UTF-8')
  return stringKeyPart(string.toString('latin1'))
}

function partOfValue(type: KeyType, value: Buffer): { readonly key: string; readonly problem?: string } {
  try {
    const decoded = decodeValue({ kind: type }, value)
    if (decoded !== null && decoded !== undefined) return { key: keyPart(type, decoded as KeyValue) }
  } catch (error) {
    if (!(error instanceof TwinstoreError || error instanceof WireError)) throw error
  }
  return { key: '', problem: `expected ${type}, got ${valueTypeName(value)}` }
}
