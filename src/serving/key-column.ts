/**
 * A join-key column of a request as parts of row keys, made from the request's bytes without decoding a string.
 *
 * The usual column, `strings` with every string shorter than 128 bytes, is cut out of one latin-1 string: the wire form
 * of a string (`0x0a`, length, bytes) differs from its key part (`S`, length, bytes) in the first byte only.
 */
import { isUtf8 } from 'node:buffer'
import { int64KeyPart, type KeyType, type KeyValue, keyPart, stringKeyPart } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { decodeValue } from '../domain/value-codec.ts'
import { WireError, type WireReader } from '../lib/wire.ts'
import { type ColumnForm, eachItem, valueTypeName } from './column-form.ts'

const FORM_OF: Readonly<Record<KeyType, ColumnForm['form']>> = { string: 'strings', int64: 'int64s' }

/** One part per value, at most `countMax`. `onFault` gets the index of a faulty value, or -1 for the whole column. */
export function readKeyParts(
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
  } else if (!cutShortStrings(column, countMax, parts)) {
    parts.length = 0
    eachItem(column, countMax, (reader, index) => parts.push(partOfString(reader, index, onFault)))
  }
  return parts
}

/** False, with `parts` in any state, if the column needs the general way. */
function cutShortStrings(column: ColumnForm, countMax: number, parts: string[]): boolean {
  const { bytes, start, end } = column
  // Around every string are the ASCII bytes of its tag and length, so all are UTF-8 if the whole is.
  if (!isUtf8(bytes.subarray(start, end))) return false
  const text = bytes.toString('latin1', start, end)
  let at = 0
  while (at < text.length && parts.length < countMax) {
    const length = text.charCodeAt(at + 1)
    const next = at + 2 + length
    if (text.charCodeAt(at) !== 0x0a || !(length < 0x80) || next > text.length) return false
    parts.push(`S${text.slice(at + 1, next)}`)
    at = next
  }
  return true
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
