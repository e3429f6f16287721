/**
 * Statistics of a data file in the log: what lets a reader skip it ("Per-file Statistics" in the protocol).
 *
 * A bound may be wider than the values, never narrower, and is left out where JSON cannot carry it: NaN and infinities,
 * int64 beyond 2^53 (many readers parse numbers as doubles), bytes, arrays, years outside 0001 to 9999.
 */
import type { FeatureView } from '../../domain/registry.ts'
import type { FileStats } from '../table-jobs.ts'
import type { JsonObject } from './json-fields.ts'
import { type Column, type ColumnType, PARTITION_COLUMN, viewColumns } from './schema.ts'

/** The prefix length of the reference implementation (`DataSkippingReader`); longer bounds swell the log of every table. */
const STRING_STATS_CHARS = 32

export interface ParsedStats {
  readonly numRecords?: number
  readonly minValues: JsonObject
  readonly maxValues: JsonObject
}

/** The `stats` string of an add action. */
export function statsJson(view: Pick<FeatureView, 'name' | 'joinKeys' | 'features'>, stats: FileStats): string {
  const minValues: Record<string, unknown> = {}
  const maxValues: Record<string, unknown> = {}
  const nullCount: Record<string, number> = {}
  for (const { name, type } of storedColumns(view)) {
    const min = lowerBound(type, stats.minValues[name])
    const max = upperBound(type, stats.maxValues[name])
    if (min !== undefined) minValues[name] = min
    if (max !== undefined) maxValues[name] = max
    if (Object.hasOwn(stats.nullCount, name)) nullCount[name] = stats.nullCount[name]!
  }
  return JSON.stringify({ numRecords: stats.numRecords, minValues, maxValues, nullCount })
}

/** What can be made out of a file's statistics, whoever wrote them; a part that is missing or damaged is empty. */
export function parseStats(text: string | undefined): ParsedStats {
  const { numRecords, minValues, maxValues } = parsedObject(text)
  return {
    ...(typeof numRecords === 'number' ? { numRecords } : {}),
    minValues: objectOrEmpty(minValues),
    maxValues: objectOrEmpty(maxValues),
  }
}

/** A timestamp of the statistics; only with an explicit zone: without one the text is in a time zone that is not known here. */
export function timestampMs(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/(Z|[+-]\d\d:?\d\d)$/.test(value)) return undefined
  const parsed = Date.parse(value)
  return Number.isNaN(parsed) ? undefined : parsed
}

/** The partition column is not inside the files. */
function storedColumns(view: Pick<FeatureView, 'name' | 'joinKeys' | 'features'>): readonly Column[] {
  return viewColumns(view).filter(({ name }) => name !== PARTITION_COLUMN)
}

function lowerBound(type: ColumnType, value: unknown): unknown {
  if (type === 'string') return typeof value === 'string' ? truncatedDown(value) : undefined
  if (type === 'timestamp') return typeof value === 'string' ? millisecondsText(value, 'down') : undefined
  return exactBound(type, value)
}

function upperBound(type: ColumnType, value: unknown): unknown {
  if (type === 'string') return typeof value === 'string' ? truncatedUp(value) : undefined
  if (type === 'timestamp') return typeof value === 'string' ? millisecondsText(value, 'up') : undefined
  return exactBound(type, value)
}

function exactBound(type: ColumnType, value: unknown): unknown {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number') return undefined
  if (type === 'integer' || type === 'long') return Number.isSafeInteger(number) ? number : undefined
  if (type === 'float' || type === 'double') return Number.isFinite(number) ? number : undefined
  return undefined
}

function truncatedDown(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  const characters = [...text]
  return characters.length <= STRING_STATS_CHARS ? text : characters.slice(0, STRING_STATS_CHARS).join('')
}

/** The least string of the prefix length above all that begin so: its last character that can be raised is raised. */
function truncatedUp(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  const characters = [...text]
  if (characters.length <= STRING_STATS_CHARS) return text
  for (let last = STRING_STATS_CHARS - 1; last >= 0; last--) {
    const next = nextCharacter(characters[last]!.codePointAt(0)!)
    if (next !== undefined) return characters.slice(0, last).join('') + next
  }
  return undefined
}

function nextCharacter(codePoint: number): string | undefined {
  if (codePoint === 0x10ffff) return undefined
  return String.fromCodePoint(codePoint === 0xd7ff ? 0xe000 : codePoint + 1)
}

/** ISO 8601 UTC with milliseconds from one with up to microseconds. */
function millisecondsText(text: string, direction: 'down' | 'up'): string | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00(?::?00)?)$/.exec(text)
  if (!parts) return undefined
  const fraction = (parts[2] ?? '').padEnd(3, '0')
  const beyond = /[1-9]/.test(fraction.slice(3))
  const milliseconds = Date.parse(`${parts[1]}.${fraction.slice(0, 3)}Z`) + (beyond && direction === 'up' ? 1 : 0)
  const rounded = Number.isNaN(milliseconds) ? '' : new Date(milliseconds).toISOString()
  return /^\d{4}-/.test(rounded) && !rounded.startsWith('0000') ? rounded : undefined
}

/** Statistics only ever save work, so that damaged ones are no reason to refuse the file. */
function parsedObject(text: string | undefined): JsonObject {
  try {
    return objectOrEmpty(text === undefined ? undefined : JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function objectOrEmpty(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {}
}
