/** What an export download asks for: query parameters of a GET, or the same members in the JSON body of a POST. */
import { TwinstoreError } from '../../domain/errors.ts'
import { serviceNamed, viewNamed } from '../../domain/known-names.ts'
import type { Registry } from '../../domain/registry.ts'
import { knownNames, quotedName } from '../../lib/nearest-name.ts'
import type { DatasetFormat } from '../../offline/offline-store.ts'
import type { EntityColumn } from '../entity-columns.ts'
import type { ExportCall } from '../export-handler.ts'
import { readEntities } from './entity-rows.ts'
import { jsonReader, Members } from './request-body.ts'
import { entityColumns } from './selection.ts'
import { parseTimestamp } from './timestamp-text.ts'

const FORMATS = ['parquet', 'arrow', 'csv', 'rows'] as const satisfies readonly DatasetFormat[]
const PARAMETERS = [
  'view',
  'feature_service',
  'format',
  'from',
  'until',
  'columns',
  'table_version',
  'latest_only',
] as const
const MEMBERS = [...PARAMETERS, 'entities'] as const

interface Asked {
  readonly view: string | undefined
  readonly featureService: string | undefined
  readonly format: DatasetFormat | undefined
  readonly from: string | undefined
  readonly until: string | undefined
  readonly columns: readonly string[] | undefined
  readonly tableVersion: bigint | undefined
  readonly latestOnly: boolean | undefined
  readonly entities: readonly EntityColumn[]
}

/** From the query of a URL. `columns` are separated by commas, or given several times. */
export function exportOfQuery(url: string): ExportCall {
  const queryAt = url.indexOf('?')
  const query = new URLSearchParams(queryAt < 0 ? '' : url.slice(queryAt + 1))
  for (const name of new Set(query.keys())) {
    if (!(PARAMETERS as readonly string[]).includes(name)) {
      throw invalid(`unknown query parameter ${quotedName(name)}${knownNames(name, PARAMETERS)}`)
    }
    if (name !== 'columns' && query.getAll(name).length > 1) throw invalid(`query parameter ${name} is given twice`)
  }
  const columns = query.getAll('columns').flatMap((list) => list.split(','))
  return exportCall({
    view: query.get('view') ?? undefined,
    featureService: query.get('feature_service') ?? undefined,
    format: choice('format', query.get('format'), FORMATS),
    from: query.get('from') ?? undefined,
    until: query.get('until') ?? undefined,
    columns: columns.length === 0 ? undefined : columns,
    tableVersion: integer('table_version', query.get('table_version')),
    latestOnly: choice('latest_only', query.get('latest_only'), ['true', 'false'] as const) === 'true',
    entities: [],
  })
}

export function exportOfBody(body: Buffer, registry: Registry): ExportCall {
  const members = new Members(jsonReader(body), MEMBERS)
  const view = members.string('view')
  const featureService = members.string('feature_service')
  const json = members.at('entities')
  const entities = json === undefined ? [] : readEntities(json, keyColumns(registry, view, featureService ?? ''))
  const asked = {
    view,
    featureService,
    format: members.choice('format', FORMATS),
    from: members.string('from'),
    until: members.string('until'),
    columns: members.strings('columns'),
    tableVersion: members.integer('table_version'),
    latestOnly: members.boolean('latest_only'),
    entities: entities.map(({ spec: { name }, values }) => ({ name, values })),
  }
  members.end()
  return exportCall(asked)
}

/** The join keys of the view, or those that a request to the service gives. */
function keyColumns(registry: Registry, view: string | undefined, service: string): ReturnType<typeof entityColumns> {
  if (view === undefined) return entityColumns(registry, serviceNamed(registry, service).members)
  const { name } = viewNamed(registry, view)
  return entityColumns(registry, [{ kind: 'view', use: { view: name, as: name, joinKeyMap: {} } }])
}

function exportCall(asked: Asked): ExportCall {
  const { view, featureService } = asked
  if ((view === undefined) === (featureService === undefined)) {
    throw invalid('give either view or feature_service, the name of what is to be exported')
  }
  return {
    source: view === undefined ? { featureService: featureService! } : { view },
    format: asked.format ?? 'parquet',
    entities: asked.entities,
    columns: asked.columns ?? [],
    latestOnly: asked.latestOnly ?? false,
    ...time('fromMicros', 'from', asked.from),
    ...time('untilMicros', 'until', asked.until),
    ...(asked.tableVersion === undefined ? {} : { tableVersion: asked.tableVersion }),
  }
}

function time<Key extends string>(key: Key, name: string, text: string | undefined): { [K in Key]?: bigint } {
  if (text === undefined) return {}
  const micros = parseTimestamp(text)
  if (micros === undefined) {
    throw invalid(`${name}: expected a time such as 2026-11-22T04:38:03Z (RFC 3339), got ${quotedName(text)}`)
  }
  return { [key]: BigInt(micros) } as { [K in Key]?: bigint }
}

function choice<Choice extends string>(
  name: string,
  text: string | null,
  choices: readonly Choice[],
): Choice | undefined {
  if (text === null || (choices as readonly string[]).includes(text)) return (text ?? undefined) as Choice | undefined
  throw invalid(`${name}: expected ${choices.join(' or ')}, got ${quotedName(text)}`)
}

function integer(name: string, text: string | null): bigint | undefined {
  if (text === null) return undefined
  if (!/^-?[0-9]{1,19}$/.test(text)) throw invalid(`${name}: expected an integer, got ${quotedName(text)}`)
  return BigInt(text)
}

function invalid(problem: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', problem)
}
