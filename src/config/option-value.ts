/**
 * The kinds of option values: how each is parsed from text, checked against its range and written for people.
 *
 * A value from a flag, the environment or YAML is text or a bare number; one parser serves all three.
 */
interface OptionBase {
  readonly description: string
}

export interface TextOption extends OptionBase {
  readonly kind: 'text'
  readonly default: string
  /** What stands in help: `--data-dir <folder>`. */
  readonly placeholder: string
}

/** `host:port`; port 0 lets the system choose. Empty, where that is the default: none. */
export interface AddressOption extends OptionBase {
  readonly kind: 'address'
  readonly default: string
}

/** A whole number; `bytes` in bytes (`64MiB`), `duration` in milliseconds (`60s`). */
export interface NumberOption extends OptionBase {
  readonly kind: 'count' | 'bytes' | 'duration'
  readonly default: number
  readonly min: number
  readonly max: number
}

export interface ChoiceOption extends OptionBase {
  readonly kind: 'choice'
  readonly default: string
  readonly choices: readonly string[]
}

/** A flag without a value; `on` or `off` elsewhere. */
export interface SwitchOption extends OptionBase {
  readonly kind: 'switch'
  readonly default: 'off'
}

export type OptionSpec = TextOption | AddressOption | NumberOption | ChoiceOption | SwitchOption
export type OptionValue = string | number

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
}

export type Parsed =
  | { readonly ok: true; readonly value: OptionValue }
  | { readonly ok: false; readonly problem: string }

export function parseOption(spec: OptionSpec, raw: unknown): Parsed {
  if (spec.kind === 'switch' && raw === true) return { ok: true, value: 'on' }
  if (typeof raw !== 'string' && typeof raw !== 'number') return bad(`expected ${expectation(spec)}`)
  const text = String(raw).trim()
  switch (spec.kind) {
    case 'text':
      return { ok: true, value: text }
    case 'address':
      return isAddress(text) || (text === '' && spec.default === '')
        ? { ok: true, value: text }
        : bad(`${JSON.stringify(text)} is not host:port`)
    case 'choice':
      return spec.choices.includes(text)
        ? { ok: true, value: text }
        : bad(`${JSON.stringify(text)} is not ${expectation(spec)}`)
    case 'switch':
      return text === 'on' || text === 'off'
        ? { ok: true, value: text }
        : bad(`${JSON.stringify(text)} is not ${expectation(spec)}`)
    default:
      return parseNumber(spec, text)
  }
}

function parseNumber(spec: NumberOption, text: string): Parsed {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text)
  const factor = match ? unitFactor(spec.kind, match[2]!) : undefined
  if (!match || factor === undefined) return bad(`${JSON.stringify(text)} is not ${expectation(spec)}`)
  const value = Number(match[1]) * factor
  if (!Number.isInteger(value)) return bad(`${JSON.stringify(text)} is not a whole number of ${baseUnit(spec.kind)}`)
  if (value < spec.min) return bad(`${text} is below the minimum ${formatOption(spec, spec.min)}`)
  if (value > spec.max) return bad(`${text} is above the maximum ${formatOption(spec, spec.max)}`)
  return { ok: true, value }
}

function unitFactor(kind: NumberOption['kind'], unit: string): number | undefined {
  if (unit === '') return 1
  if (kind === 'duration') return DURATION_MS[unit]
  return kind === 'bytes' ? BYTE_UNITS[unit] : undefined
}

function baseUnit(kind: NumberOption['kind']): string {
  if (kind === 'duration') return 'milliseconds'
  return kind === 'bytes' ? 'bytes' : 'items'
}

function expectation(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'text':
      return 'text'
    case 'address':
      return 'host:port'
    case 'choice':
      return `one of ${spec.choices.join(', ')}`
    case 'switch':
      return 'on or off'
    case 'count':
      return 'a whole number'
    case 'bytes':
      return 'a size such as 64MiB'
    case 'duration':
      return 'a duration such as 250ms, 60s, 5m, 24h'
  }
}

/** The value as a person would write it; parsing it gives the value back. */
export function formatOption(spec: OptionSpec, value: OptionValue): string {
  if (spec.kind === 'bytes') return largestUnit(value as number, ['TiB', 'GiB', 'MiB', 'KiB'], BYTE_UNITS, 'B')
  if (spec.kind === 'duration') return largestUnit(value as number, ['d', 'h', 'm', 's'], DURATION_MS, 'ms')
  return String(value)
}

function largestUnit(
  value: number,
  units: readonly string[],
  factors: Readonly<Record<string, number>>,
  base: string,
): string {
  const unit = units.find((name) => value !== 0 && value % factors[name]! === 0)
  return unit === undefined ? `${value}${base}` : `${value / factors[unit]!}${unit}`
}

function isAddress(text: string): boolean {
  const match = /^(.+):(\d{1,5})$/.exec(text)
  return match !== null && Number(match[2]) <= 65535
}

function bad(problem: string): Parsed {
  return { ok: false, problem }
}
