/** `name=value` words of the command line, and their values by the type that the definitions give a column. */
import { TwinstoreError } from '../domain/errors.ts'
import { nearestName } from '../lib/nearest-name.ts'

export type Assignments = Readonly<Record<string, string>>

/** One row from one word: `origin=ATL,destination=ORD`. A value with a comma or an `=` goes into JSON: `{"name":"a,b"}`. */
export function parseRow(word: string): Assignments {
  if (word.startsWith('{')) return parseJsonRow(word)
  const row: Record<string, string> = {}
  for (const part of word.split(',')) addAssignment(row, part)
  return row
}

/** One row from several words: `airport=ATL closed=true`. */
export function parseWords(words: readonly string[]): Assignments {
  const row: Record<string, string> = {}
  for (const word of words) {
    if (word.startsWith('{')) Object.assign(row, parseJsonRow(word))
    else addAssignment(row, word)
  }
  return row
}

function addAssignment(row: Record<string, string>, part: string): void {
  const at = part.indexOf('=')
  if (at <= 0) {
    throw new TwinstoreError('INVALID_ARGUMENT', `${JSON.stringify(part)} is not name=value, for example airport=ATL`)
  }
  const name = part.slice(0, at)
  if (Object.hasOwn(row, name)) throw new TwinstoreError('INVALID_ARGUMENT', `${name} is given twice in one row`)
  row[name] = part.slice(at + 1)
}

function parseJsonRow(word: string): Assignments {
  let parsed: unknown
  try {
    parsed = JSON.parse(word)
  } catch {
    throw new TwinstoreError('INVALID_ARGUMENT', `${JSON.stringify(word)} is not a JSON object`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TwinstoreError('INVALID_ARGUMENT', `${JSON.stringify(word)} is not a JSON object`)
  }
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, text(value)]))
}

/** The values of a row by type; `columns` are the known columns with their type names. */
export function typedRow(
  row: Assignments,
  columns: ReadonlyMap<string, string>,
  what: string,
): Record<string, unknown> {
  const typed: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(row)) {
    const type = columns.get(name)
    if (type === undefined) {
      const nearest = nearestName(name, [...columns.keys()])
      const hint = nearest === undefined ? `known: ${[...columns.keys()].join(', ')}` : `did you mean ${nearest}?`
      throw new TwinstoreError('INVALID_ARGUMENT', `${what} has no column ${name}; ${hint}`)
    }
    typed[name] = parseValue(name, type, text)
  }
  return typed
}

/** A value of the named type from text; `null` is null. Lists and vectors are JSON arrays, bytes base64, timestamps ISO 8601. */
export function parseValue(name: string, type: string, text: string): unknown {
  if (text === 'null') return null
  const fail = (expected: string): TwinstoreError =>
    new TwinstoreError('INVALID_ARGUMENT', `${name}: ${JSON.stringify(text)} is not ${expected}`)
  if (type.startsWith('list<') || type.startsWith('vector<')) return parseList(name, type, text)
  switch (type) {
    case 'string':
      return text
    case 'bool':
      if (text !== 'true' && text !== 'false') throw fail('true or false')
      return text === 'true'
    case 'int32':
    case 'int64':
      if (!/^-?\d+$/.test(text)) throw fail('a whole number')
      return type === 'int64' ? BigInt(text) : Number(text)
    case 'float':
    case 'double':
      if (text.trim() === '' || (Number.isNaN(Number(text)) && text !== 'NaN')) throw fail('a number')
      return Number(text)
    case 'bytes':
      return Buffer.from(text, 'base64')
    case 'timestamp': {
      const time = parseTime(text)
      if (time === undefined) throw fail('a time such as 2026-01-31T12:00:00Z')
      return time
    }
    default:
      throw fail(`of a known type (${type})`)
  }
}

function parseList(name: string, type: string, text: string): unknown[] {
  const item = type.startsWith('list<') ? type.slice(5, -1) : 'float'
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  if (!Array.isArray(parsed))
    throw new TwinstoreError('INVALID_ARGUMENT', `${name}: ${JSON.stringify(text)} is not a JSON array`)
  return parsed.map((value, index) =>
    parseValue(`${name}[${index}]`, item, typeof value === 'string' ? value : JSON.stringify(value)),
  )
}

/** A time from ISO 8601 text; a date alone is its midnight UTC, a time without a zone is UTC. */
export function parseTime(text: string): Date | undefined {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return undefined
  const iso = text.replace(' ', 'T')
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(iso) || !iso.includes('T') ? iso : `${iso}Z`
  const time = new Date(zoned)
  return Number.isNaN(time.getTime()) ? undefined : time
}
