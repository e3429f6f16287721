/** Times as RFC 3339 text, exact to the microsecond. */

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/
const MICROS_PER_SECOND = 1_000_000

/** The years 1 to 9999, which four digits can tell; stores accept less. */
const SECONDS_MIN = -62_135_596_800
const SECONDS_MAX = 253_402_300_799

/** Microseconds since 1970-01-01 UTC; undefined if the text is no time, or finer than a microsecond. */
export function parseTimestamp(text: string): number | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isDate = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!isDate || hour > 23 || minute > 59 || second > 59) return undefined
  const fraction = (match[7] ?? '').padEnd(9, '0')
  if (!fraction.endsWith('000')) return undefined
  const offset = offsetSeconds(match[8], Number(match[9]), Number(match[10]))
  if (offset === undefined) return undefined
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset
  return seconds * MICROS_PER_SECOND + Number(fraction.slice(0, 6))
}

function offsetSeconds(sign: string | undefined, hours: number, minutes: number): number | undefined {
  if (sign === undefined) return 0
  if (hours > 23 || minutes > 59) return undefined
  return (sign === '-' ? -1 : 1) * (hours * 3600 + minutes * 60)
}

/** `2026-11-22T04:38:03.679Z`; no fraction, three digits or six, as many as it takes. */
export function timestampText(micros: number): string {
  const seconds = Math.floor(micros / MICROS_PER_SECOND)
  const rest = micros - seconds * MICROS_PER_SECOND
  const whole = secondsText(seconds)
  if (rest === 0) return whole
  const digits = String(rest).padStart(6, '0')
  return `${whole.slice(0, -1)}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`
}

/** A time beyond the years of four digits, which no store accepts, is the number of seconds. */
export function secondsText(seconds: number): string {
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return String(seconds)
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
