/** What is wrong with the rows that a view's source gave; everything is counted before anything is refused. */
import { type Fault, faultsError, type TwinstoreError } from '../../domain/errors.ts'
import type { Feature, FeatureView } from '../../domain/registry.ts'
import { EVENT_MICROS_MAX, EVENT_MICROS_MIN } from '../../domain/version.ts'
import type { Session } from './session.ts'
import type { SourceColumn } from './source-columns.ts'
import { identifier, timestampLiteral } from './sql.ts'

interface Check {
  readonly column: string
  readonly problem: string
  /** True for a faulty row of the source. */
  readonly faultySql: string
}

/** Refuses the source if any row of `relation` (the raw result of its SQL) is faulty, with counts and an example of each fault. */
export async function refuseFaultyRows(
  session: Session,
  view: FeatureView,
  relation: string,
  columns: readonly SourceColumn[],
): Promise<void> {
  const checks = columns.flatMap((column) => columnChecks(view, column))
  const counts = checks.map((check, index) => `count(*) FILTER (WHERE ${check.faultySql}) AS c${index}`)
  const [counted] = await session.rows(`SELECT ${counts.join(', ')} FROM ${relation}`)
  const faults: Fault[] = []
  for (const [index, check] of checks.entries()) {
    const count = Number(counted![`c${index}`])
    if (count === 0) continue
    const example = await exampleRow(session, view, relation, `WHERE ${check.faultySql}`)
    faults.push({ at: check.column, problem: `${check.problem} in ${count} row(s), for example ${example}` })
  }
  if (faults.length > 0) throw sourceError(view, faults)
}

/** Refuses rows of one entity and event timestamp that differ; `relation` has the table's columns. */
export async function refuseAmbiguousRows(session: Session, view: FeatureView, relation: string): Promise<void> {
  const version = [...view.joinKeys.map((key) => identifier(key.name)), 'event_timestamp'].join(', ')
  const repeated = `(SELECT ${version} FROM ${relation} GROUP BY ${version} HAVING count(*) > 1)`
  const [counted] = await session.rows(`SELECT count(*) AS repeated FROM ${repeated}`)
  if (counted!['repeated'] === 0n) return
  const example = await exampleRow(session, view, repeated, '')
  const problem = `${counted!['repeated']} (entity, event_timestamp) pairs have several rows with different values, for example ${example}; group or filter them in the SQL`
  throw sourceError(view, [{ at: 'event_timestamp', problem }])
}

export function sourceError(view: FeatureView, faults: readonly Fault[]): TwinstoreError {
  return faultsError(
    'INVALID_ARGUMENT',
    `the source of view ${view.name} cannot be synced; nothing was written`,
    faults,
  )
}

function columnChecks(view: FeatureView, { name, rawSql, cast, role }: SourceColumn): Check[] {
  const checks: Check[] = []
  const add = (problem: string, faultySql: string) => checks.push({ column: name, problem, faultySql })
  if (role === 'key' || role === 'eventTime') add('null', `${rawSql} IS NULL`)
  if (cast.lossSql !== undefined) {
    add('a value that its type cannot hold exactly', `${rawSql} IS NOT NULL AND ${cast.lossSql}`)
  }
  if (role === 'eventTime' || role === 'createdTime')
    add('a time outside the years 1700 to 2249', outOfRange(cast.valueSql))
  const feature = view.features.find((candidate) => candidate.name === name)
  if (role === 'feature') featureChecks(feature!, cast.valueSql, add)
  return checks
}

function featureChecks(feature: Feature, valueSql: string, add: (problem: string, faultySql: string) => void): void {
  const { type } = feature
  const isList = type.kind === 'list' || type.kind === 'vector'
  const scalar = type.kind === 'vector' ? 'float' : type.kind === 'list' ? type.of : type.kind
  const anyItem = (condition: (item: string) => string) =>
    isList ? `len(list_filter(${valueSql}, lambda item: ${condition('item')})) > 0` : condition(valueSql)
  if (isList) add('a null item in a list', `list_count(${valueSql}) < len(${valueSql})`)
  if (type.kind === 'vector') add(`a vector without ${type.length} numbers`, `len(${valueSql}) <> ${type.length}`)
  if (scalar === 'timestamp') add('a time outside the years 1700 to 2249', anyItem(outOfRange))
  if ((scalar === 'float' || scalar === 'double') && feature.allowNaN !== true) {
    add(
      'NaN or infinity (declare the feature with allowNaN to accept them)',
      anyItem((item) => `NOT isfinite(${item})`),
    )
  }
}

function outOfRange(timestampSql: string): string {
  const [min, max] = [timestampLiteral(EVENT_MICROS_MIN), timestampLiteral(EVENT_MICROS_MAX)]
  return `(${timestampSql} < ${min} OR ${timestampSql} >= ${max})`
}

async function exampleRow(session: Session, view: FeatureView, relation: string, where: string): Promise<string> {
  const names = [...view.joinKeys.map((key) => key.name), 'event_timestamp']
  const cells = names.map((name) => `CAST(${identifier(name)} AS VARCHAR) AS ${identifier(name)}`)
  const [row] = await session.rows(`SELECT ${cells.join(', ')} FROM ${relation} ${where} LIMIT 1`)
  return names.map((name) => `${name}=${row![name] ?? 'null'}`).join(', ')
}
