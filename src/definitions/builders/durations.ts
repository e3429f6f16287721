import { DECLARED, type Declared, type DurationDeclaration } from './declarations.ts'

export type Duration = Declared<DurationDeclaration>

export function seconds(count: number): Duration {
  return { [DECLARED]: { kind: 'duration', seconds: count } }
}

export function minutes(count: number): Duration {
  return seconds(count * 60)
}

export function hours(count: number): Duration {
  return seconds(count * 3_600)
}

export function days(count: number): Duration {
  return seconds(count * 86_400)
}
