/** The pin of a training set as it comes back from a client: checked, and held against what it is asked to reproduce. */
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import type { Pin } from '../offline/offline-store.ts'
import type { TrainingSetSpec } from './training-set-spec.ts'

export type { Pin } from '../offline/offline-store.ts'

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value.length > 0
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isSha256: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isContent: Check = (value) =>
  isObject(value) && isSha256((value as Pin['spine']).sha256) && isCount((value as Pin['spine']).rows)

/** What each member of a pin must be. */
const MEMBERS: Readonly<Record<keyof Pin, readonly [Check, string]>> = {
  pinFormat: [(value) => value === 1, '1, the pin format this program knows'],
  service: [isText, 'the name of a feature service'],
  fingerprint: [(value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value), '32 hex digits'],
  mode: [(value) => value === 'EVENT_TIME' || value === 'AS_SERVED', 'EVENT_TIME or AS_SERVED'],
  format: [(value) => ['parquet', 'arrow', 'csv', 'rows'].includes(value as string), 'parquet, arrow, csv or rows'],
  timestampColumn: [isText, 'the name of a column'],
  tables: [(value) => isObject(value) && Object.values(value as object).every(isTableVersion), 'versions by view name'],
  spine: [isContent, 'an object with sha256 and rows'],
  output: [isContent, 'an object with sha256 and rows'],
  engine: [isText, 'the name and version of an engine'],
}

/** -1 stands for a table that did not exist yet. */
function isTableVersion(value: unknown): boolean {
  return value === -1 || isCount(value)
}

/** INVALID_ARGUMENT naming every member that is wrong. */
export function parsePin(json: string): Pin {
  let pin: unknown
  try {
    pin = JSON.parse(json)
  } catch (error) {
    throw new TwinstoreError('INVALID_ARGUMENT', `the pin is not JSON: ${(error as Error).message}`)
  }
  if (!isObject(pin)) throw new TwinstoreError('INVALID_ARGUMENT', 'the pin is not a JSON object')
  const members = pin as Readonly<Record<string, unknown>>
  const faults: Fault[] = Object.entries(MEMBERS)
    .filter(([name, [check]]) => !check(members[name]))
    .map(([name, [, expected]]) => ({ at: `pin.${name}`, problem: `expected ${expected}` }))
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the pin is not one that Twinstore wrote:', faults)
  return pin as Pin
}

/** The members of a spec that a pin fixes, as the proto file names them. */
const FIELD = {
  featureService: 'feature_service',
  timestampColumn: 'timestamp_column',
  mode: 'mode',
  format: 'format',
} as const

/** The spec filled in from the pin. INVALID_ARGUMENT where it asks for something else. */
export function agreeWithPin(spec: TrainingSetSpec, pin: Pin): TrainingSetSpec {
  const pinned = {
    featureService: pin.service,
    timestampColumn: pin.timestampColumn,
    mode: pin.mode,
    format: pin.format,
  }
  const faults = Object.entries(pinned).flatMap(([name, value]): Fault[] => {
    const asked = spec[name as keyof typeof pinned]
    return asked === undefined || asked === '' || asked === value
      ? []
      : [{ at: `spec.${FIELD[name as keyof typeof pinned]}`, problem: `${asked}, but the pin says ${value}` }]
  })
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the request is not what the pin is of:', faults)
  return { ...spec, ...pinned }
}

/** A pin promises bytes (G5): any others are an error, never a quiet difference. */
export function refuseOtherBytes(pin: Pin, made: Pin): void {
  if (made.spine.sha256 !== pin.spine.sha256) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `this is not the spine of the pin: ${made.spine.rows} rows with SHA-256 ${made.spine.sha256}, the pin has ` +
        `${pin.spine.rows} rows with ${pin.spine.sha256}; send that spine, or none of the pin`,
    )
  }
  if (made.output.sha256 === pin.output.sha256) return
  if (made.engine !== pin.engine) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the pin was written by ${pin.engine} and this server runs ${made.engine}, whose files differ in their bytes`,
    )
  }
  throw new TwinstoreError(
    'DATA_LOSS',
    `the training set could not be reproduced: its SHA-256 is ${made.output.sha256}, the pin has ${pin.output.sha256}`,
  )
}
