/**
 * Joins a service's views to a spine at pinned or newest table versions, and says in a pin and a manifest what the result was
 * made of.
 *
 * The spine's time range is asked for first, so that only those files are fetched, verified and opened that can matter for it.
 * It costs one more reading of the timestamp column: 0.03 s for 3 M rows of Parquet.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureService, OnDemandView, Registry } from '../../domain/registry.ts'
import type { TrainingSetJob } from '../dataset-jobs.ts'
import { pruneFiles } from '../delta/prune-files.ts'
import type { JobOptions } from '../engine.ts'
import { historyRange, type MicrosRange } from '../history-range.ts'
import type { Pin, TrainingSet, TrainingSetRequest } from '../offline-store.ts'
import type { TableScan } from '../table-jobs.ts'
import type { StoreParts } from './store-parts.ts'
import { type Joined, manifestOf } from './training-manifest.ts'
import type { TableFiles, TableState } from './view-tables.ts'

export async function joinTrainingSet(
  parts: StoreParts,
  service: FeatureService,
  request: TrainingSetRequest,
  options: JobOptions,
): Promise<TrainingSet> {
  const { registry } = request
  const onDemandViews = onDemandViewsOf(service, registry)
  const states = await statesOf(parts, service, onDemandViews, request)
  const { range } = await parts.engine.run('spineRange', { spine: spineInput(request) }, options)
  const join = (scans: readonly TableScan[]) => {
    const tables = Object.fromEntries(scans.map((scan) => [scan.view.name, scan]))
    return parts.spool.keep((outputFile) =>
      parts.engine.run('trainingSet', { ...jobInput(service, request), tables, onDemandViews, outputFile }, options),
    )
  }
  const joined: Joined = { service, onDemandViews, request, states }
  const wanted = states.map((state) => ({ ...state, files: filesWithin(joined, state, range) }))
  const { spine, features, ...dataset } = await parts.tables.withScans(wanted, join, options.signal)
  const pin: Pin = {
    pinFormat: 1,
    service: service.name,
    fingerprint: registry.fingerprint,
    mode: request.mode,
    format: request.format,
    timestampColumn: request.timestampColumn,
    tables: Object.fromEntries(states.map(({ view, version }) => [view.name, version])),
    spine: { sha256: spine.sha256, rows: spine.rows },
    output: { sha256: dataset.sha256, rows: dataset.rows },
    engine: parts.engineName,
  }
  const manifest = manifestOf(joined, pin, { spine, features, ...dataset }, parts.table.clock.nowMicros())
  return { ...dataset, engine: parts.engineName, pin, manifest }
}

/** None without a range: such a spine has no rows, or is refused by the join, which then needs no file for it. */
function filesWithin(
  { service, onDemandViews }: Joined,
  { view, files }: TableFiles,
  range: MicrosRange | undefined,
): TableFiles['files'] {
  return range === undefined ? [] : pruneFiles(view, files, historyRange(view, service, onDemandViews, range))
}

function jobInput(
  service: FeatureService,
  request: TrainingSetRequest,
): Omit<TrainingSetJob['input'], 'tables' | 'onDemandViews' | 'outputFile'> {
  return {
    service,
    ...(request.bundleFile === undefined ? {} : { bundleFile: request.bundleFile }),
    spine: spineInput(request),
    mode: request.mode,
    format: request.format,
  }
}

function spineInput(request: TrainingSetRequest): TrainingSetJob['input']['spine'] {
  return {
    file: request.spineFile,
    format: request.spineFormat,
    timestampColumn: request.timestampColumn,
    ...(request.spineMayBeEmpty ? { mayBeEmpty: true } : {}),
  }
}

function onDemandViewsOf(service: FeatureService, registry: Registry): Readonly<Record<string, OnDemandView>> {
  const names = service.members.flatMap((member) => (member.kind === 'onDemand' ? [member.view] : []))
  return Object.fromEntries(names.map((name) => [name, registry.onDemandViews.get(name)!]))
}

/** The tables that are joined, at the versions asked for; in the order of names, so that equal pins are equal texts. */
async function statesOf(
  parts: StoreParts,
  service: FeatureService,
  onDemandViews: Readonly<Record<string, OnDemandView>>,
  { registry, tableVersions }: TrainingSetRequest,
): Promise<readonly (TableFiles & TableState)[]> {
  const uses = [
    ...service.members.flatMap((member) => (member.kind === 'view' ? [member.use] : [])),
    ...Object.values(onDemandViews).flatMap((view) => view.inputs),
  ]
  const states: (TableFiles & TableState)[] = []
  for (const name of [...new Set(uses.map((use) => use.view))].sort()) {
    const view = registry.views.get(name)!
    const state = await parts.tables.at(view, pinnedVersion(name, tableVersions))
    states.push({ view, files: state.files, version: state.version })
  }
  return states
}

function pinnedVersion(view: string, pinned: TrainingSetRequest['tableVersions']): number | undefined {
  if (pinned === undefined) return undefined
  const version = pinned[view]
  if (version !== undefined) return version
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `the pin has no table version of view ${view}, which the service uses`,
  )
}
