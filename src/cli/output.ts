/** What commands print: tables for people, JSON for machines. Results go to standard output, all else to standard error. */
import Table from 'cli-table3'

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** JSON in which an int64 stays exact (a number where that is safe, else a string), bytes are base64, times ISO 8601. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, jsonForm, 2))
}

function jsonForm(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (value instanceof Map) return Object.fromEntries(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  const bytes = bufferForm(value)
  return bytes === undefined ? value : bytes.toString('base64')
}

/** `Buffer.toJSON` has already run when a replacer sees a buffer. */
function bufferForm(value: unknown): Buffer | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value)
  const form = value as { type?: unknown; data?: unknown } | null
  return typeof form === 'object' && form?.type === 'Buffer' && Array.isArray(form.data)
    ? Buffer.from(form.data as number[])
    : undefined
}

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** Columns aligned by spaces: readable, and easy to cut apart with other tools. Numbers are aligned right. An empty head is left out. */
export function printTable(head: readonly string[], rows: readonly (readonly unknown[])[]): void {
  const table = new Table({
    head: head.some((text) => text !== '') ? [...head] : [],
    chars: PLAIN,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: head.map((_, column) =>
      rows.length > 0 && rows.every((row) => isNumeric(row[column])) ? 'right' : 'left',
    ),
  })
  for (const row of rows) table.push(row.map(cell))
  print(
    table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n'),
  )
}

function isNumeric(value: unknown): boolean {
  return value === null || value === undefined || typeof value === 'number' || typeof value === 'bigint'
}

const CELL_MAX = 60

/** A value in a table. Null is `null`, missing is `-`; a fraction keeps six significant digits. */
export function cell(value: unknown): string {
  if (value === undefined) return '-'
  if (value === null) return 'null'
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
  if (value instanceof Date) return formatTime(value)
  if (value instanceof Uint8Array) return shorten(Buffer.from(value).toString('base64'))
  if (Array.isArray(value)) return shorten(`[${value.map(cell).join(', ')}]`)
  return shorten(String(value))
}

/** UTC, without a fraction where it is zero: `2001-06-30 00:00:00Z`. */
export function formatTime(time: Date): string {
  return time.toISOString().replace('T', ' ').replace('.000Z', 'Z')
}

function shorten(text: string): string {
  return text.length > CELL_MAX ? `${text.slice(0, CELL_MAX - 3)}...` : text
}

/** The two largest units: `2.5 s`, `4 min`, `1 h 30 min`, `9 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 0) return `-${formatSeconds(-seconds)}`
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24]
  const parts = days > 0 ? [`${days} d`, `${hours} h`] : [`${hours} h`, `${minutes % 60} min`]
  return parts.filter((part) => !part.startsWith('0 ')).join(' ')
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

export function formatRows(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'row' : 'rows'}`
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
