/** ExportFeatures: the history of a view, or the training set of a service over the rows of one of its views. */
import { TwinstoreError } from '../domain/errors.ts'
import { refuse, serviceNamed, viewNamed } from '../domain/known-names.ts'
import { type FeatureService, type FeatureView, type Registry, storageId } from '../domain/registry.ts'
import type { DatasetFormat, ExportRequest, JobOptions } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { type DatasetPart, streamDataset } from './dataset-stream.ts'
import { type EntityColumn, keyRows } from './entity-columns.ts'
import type { KeptDatasets } from './kept-datasets.ts'
import type { NamedDataset } from './named-dataset.ts'
import { type OfflineParts, type Snapshot, snapshotOf } from './offline-parts.ts'
import { askedDigest, checkedResume, type ResumeCall, type ResumeToken } from './resume-token.ts'
import { serviceSpine, storageIds } from './service-spine.ts'
import { checkedRange, type TimeRange } from './time-range.ts'

export interface ExportCall extends TimeRange {
  readonly source: { readonly view: string } | { readonly featureService: string }
  readonly format: DatasetFormat
  /** Only these entities, by the view's join keys (or the service's columns); empty: all. */
  readonly entities: readonly EntityColumn[]
  /** Empty: join keys, both timestamps, all features. */
  readonly columns: readonly string[]
  readonly tableVersion?: bigint
  readonly latestOnly: boolean
  /** To go on with the data set of an earlier call of the same request. */
  readonly resume?: ResumeCall
}

/** Columns of every table that an export can name besides join keys and features. */
const STORE_COLUMNS = ['event_timestamp', 'created_timestamp', 'write_position', 'write_origin']

export async function* exportFeatures(
  parts: OfflineParts,
  kept: KeptDatasets,
  call: ExportCall,
  context: CallContext,
): AsyncGenerator<DatasetPart> {
  const { resume: resumeCall, ...request } = call
  const asked = askedDigest(request)
  const resume = resumeCall === undefined ? undefined : checkedResume(resumeCall, asked)
  const snapshot = await snapshotOf(parts, resume?.token.fingerprint)
  const { registry } = snapshot.definitions
  const plan =
    'view' in call.source
      ? viewExport(parts, registry, viewNamed(registry, call.source.view), call, resume?.token)
      : serviceExport(parts, snapshot, serviceNamed(registry, call.source.featureService), call, resume?.token)
  const make = async (options: JobOptions): Promise<NamedDataset> => {
    // What is made again is at table versions of before.
    if (resume === undefined) await parts.archiver.flush(context.signal, plan.storageIds)
    return plan.make(options)
  }
  yield* streamDataset({ asked, resume, make }, kept, context, parts.settings)
}

/** A checked export, and the views whose outbox must be empty before it is made. */
interface Plan {
  readonly make: (options: JobOptions) => Promise<NamedDataset>
  readonly storageIds: readonly string[]
}

function viewExport(
  parts: OfflineParts,
  registry: Registry,
  view: FeatureView,
  call: ExportCall,
  again: ResumeToken | undefined,
): Plan {
  const known = [...view.joinKeys, ...view.features].map((column) => column.name).concat(STORE_COLUMNS)
  for (const column of call.columns) {
    if (!known.includes(column)) refuse('INVALID_ARGUMENT', `column of view ${view.name}`, column, known)
  }
  const doubled = call.columns.find((column, index) => call.columns.indexOf(column) !== index)
  if (doubled !== undefined) throw new TwinstoreError('INVALID_ARGUMENT', `column ${doubled} is asked for twice`)
  const request: ExportRequest = {
    format: call.format,
    ...rowsWanted(parts, view, call.entities, call),
    ...(call.columns.length === 0 ? {} : { columns: call.columns }),
    ...(call.tableVersion === undefined ? {} : { tableVersion: checkedTableVersion(call.tableVersion) }),
    ...(again === undefined ? {} : { tableVersion: again.tables[view.name] ?? refuseToken(view) }),
  }
  const make = async (options: JobOptions): Promise<NamedDataset> => {
    const dataset = await parts.offline.export(view, request, options)
    return {
      dataset,
      format: call.format,
      fingerprint: registry.fingerprint,
      tableVersions: { [view.name]: dataset.tableVersion },
    }
  }
  return { make, storageIds: [storageId(view)] }
}

/** The spine is what the view that knows every key column of the service holds; it lives only as long as the join. */
function serviceExport(
  parts: OfflineParts,
  { definitions: { registry }, bundleFile }: Snapshot,
  service: FeatureService,
  call: ExportCall,
  again: ResumeToken | undefined,
): Plan {
  if (call.columns.length > 0) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'columns can be chosen for a view only; pick features in the service')
  }
  if (call.tableVersion !== undefined) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      'table_version is of one view; for a service use GetTrainingSet and a pin',
    )
  }
  const spine = serviceSpine(registry, service)
  const entities = call.entities.map((column) => ({
    ...column,
    name: spine.joinKeyOf.get(column.name) ?? column.name,
  }))
  const request: ExportRequest = {
    format: 'parquet',
    columns: [...spine.view.joinKeys.map((key) => key.name), 'event_timestamp'],
    rename: spine.rename,
    ...rowsWanted(parts, spine.view, entities, call),
    ...(again === undefined ? {} : { tableVersion: again.spineTable ?? refuseToken(spine.view) }),
  }
  const make = async (options: JobOptions): Promise<NamedDataset> => {
    const rows = await parts.offline.export(spine.view, request, options)
    try {
      const dataset = await parts.offline.trainingSet(
        service,
        {
          spineFile: rows.path,
          spineFormat: 'parquet',
          timestampColumn: 'event_timestamp',
          spineMayBeEmpty: true,
          mode: 'EVENT_TIME',
          format: call.format,
          registry,
          ...(again === undefined ? {} : { tableVersions: again.tables }),
          ...(bundleFile === undefined ? {} : { bundleFile }),
        },
        options,
      )
      return {
        dataset,
        format: call.format,
        fingerprint: registry.fingerprint,
        tableVersions: dataset.pin.tables,
        spineTableVersion: rows.tableVersion,
      }
    } finally {
      await rows.dispose()
    }
  }
  return { make, storageIds: storageIds(registry, service) }
}

type RowsWanted = Pick<ExportRequest, 'fromMicros' | 'untilMicros' | 'entities' | 'latestOnly'>

function rowsWanted(
  parts: OfflineParts,
  view: FeatureView,
  entities: readonly EntityColumn[],
  call: ExportCall,
): RowsWanted {
  const limit = parts.settings.exportEntitiesMax
  const count = entities[0]?.values.length ?? 0
  if (count > limit) {
    throw new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `${count} entities, more than the ${limit} of option export-entities-max; export all or ask in parts`,
    )
  }
  return {
    ...checkedRange(call),
    ...(entities.length === 0 ? {} : { entities: keyRows(view.joinKeys, entities) }),
    ...(call.latestOnly ? { latestOnly: true } : {}),
  }
}

function refuseToken(view: FeatureView): never {
  throw new TwinstoreError('INVALID_ARGUMENT', `resume.token has no table version of view ${view.name}`)
}

function checkedTableVersion(version: bigint): number {
  if (version < 0n || version > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TwinstoreError('INVALID_ARGUMENT', `table_version ${version} is not a table version: they count from 0`)
  }
  return Number(version)
}
