/** Values of flags that only commands have: times and counts. */
import { parseOption } from '../config/option-value.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { parseTime } from './assignments.ts'

/** `{ [key]: time }`, or nothing where the flag is not given. */
export function timeOption<K extends string>(key: K, flag: string, text: string | undefined): { [P in K]?: Date } {
  if (text === undefined) return {}
  const time = parseTime(text)
  if (time === undefined) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `${flag}: ${JSON.stringify(text)} is not a time such as 2026-01-31T12:00:00Z`,
    )
  }
  return { [key]: time } as { [P in K]?: Date }
}

/** A whole number of at least `min`. */
export function countValue(flag: string, text: string, min: number): number {
  const spec = { kind: 'count', default: min, min, max: Number.MAX_SAFE_INTEGER, group: '', description: '' } as const
  const parsed = parseOption(spec, text)
  if (!parsed.ok) throw new TwinstoreError('INVALID_ARGUMENT', `${flag}: ${parsed.problem}`)
  return parsed.value as number
}
