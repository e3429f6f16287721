/** GetTrainingSet: point-in-time correct feature rows for a spine that is sent, or that the definitions name. */
import { TwinstoreError } from '../domain/errors.ts'
import type { Registry, SourceFile } from '../domain/registry.ts'
import type { JobOptions } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { type DatasetPart, type NamedDataset, streamDataset } from './dataset-stream.ts'
import { refuse, serviceNamed } from './known-names.ts'
import type { OfflineParts, Snapshot } from './offline-parts.ts'
import { agreeWithPin, type Pin, parsePin, refuseOtherBytes } from './pin.ts'
import { storageIds } from './service-spine.ts'
import { type SpineFile, spoolSpine } from './spine-spool.ts'
import type { TrainingSetPart, TrainingSetSpec } from './training-set-spec.ts'

export async function* getTrainingSet(
  parts: OfflineParts,
  incoming: AsyncIterable<TrainingSetPart>,
  context: CallContext,
): AsyncGenerator<DatasetPart> {
  const iterator = incoming[Symbol.asyncIterator]()
  const { spec, pin, snapshot } = await readSpec(parts, iterator)
  const spine = await receiveSpine(parts, spec, snapshot.definitions.registry, iterator)
  try {
    if (pin === undefined) {
      const { registry } = snapshot.definitions
      const service = serviceNamed(registry, spec.featureService)
      await parts.archiver.flush(context.signal, storageIds(registry, service))
    }
    const make = (options: JobOptions): Promise<NamedDataset> => join(parts, spec, pin, snapshot, spine, options)
    yield* streamDataset(make, context.signal, parts.settings)
  } finally {
    await spine.dispose()
  }
}

interface Agreed {
  readonly spec: TrainingSetSpec
  readonly pin: Pin | undefined
  readonly snapshot: Snapshot
}

/** Everything that can be refused is refused before the spine is sent. */
async function readSpec(parts: OfflineParts, incoming: AsyncIterator<TrainingSetPart>): Promise<Agreed> {
  const first = await incoming.next()
  if (first.done || !('spec' in first.value)) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'the first message of GetTrainingSet must have `spec`')
  }
  const asked = first.value.spec
  const pin = asked.pinJson === undefined ? undefined : parsePin(asked.pinJson)
  const spec = pin === undefined ? asked : agreeWithPin(asked, pin)
  const snapshot = await snapshotOf(parts, pin)
  serviceNamed(snapshot.definitions.registry, spec.featureService)
  if (spec.timestampColumn === undefined) {
    throw new TwinstoreError('INVALID_ARGUMENT', "spec.timestamp_column is empty: name the spine's timestamp column")
  }
  return { spec, pin, snapshot }
}

async function snapshotOf(parts: OfflineParts, pin: Pin | undefined): Promise<Snapshot> {
  const definitions = parts.definitions.current
  if (pin !== undefined && pin.fingerprint !== definitions.registry.fingerprint) {
    return parts.snapshots.load(pin.fingerprint)
  }
  const bundleFile = parts.bundleFile()
  return { definitions, ...(bundleFile === undefined ? {} : { bundleFile }) }
}

async function receiveSpine(
  parts: OfflineParts,
  spec: TrainingSetSpec,
  registry: Registry,
  incoming: AsyncIterator<TrainingSetPart>,
): Promise<SpineFile> {
  if (spec.spineSource === undefined) {
    return spoolSpine(incoming, spec.spineFormat ?? 'parquet', parts.spoolDir, parts.settings.spineBytesMax)
  }
  const source = sourceFileNamed(registry, spec.spineSource)
  const more = await incoming.next()
  if (!more.done) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      'a spine was sent although spec.spine_source names one; give one of them',
    )
  }
  return { path: await parts.resolveSourceFile(source), format: source.format, dispose: async () => undefined }
}

function sourceFileNamed(registry: Registry, name: string): SourceFile {
  const files = [...registry.views.values()].flatMap((view) => view.source?.files ?? [])
  const names = [...new Set(files.map((file) => file.name))]
  return files.find((file) => file.name === name) ?? refuse('NOT_FOUND', 'source file', name, names)
}

async function join(
  parts: OfflineParts,
  spec: TrainingSetSpec,
  pin: Pin | undefined,
  snapshot: Snapshot,
  spine: SpineFile,
  options: JobOptions,
): Promise<NamedDataset> {
  const { registry } = snapshot.definitions
  const format = spec.format ?? 'parquet'
  const dataset = await parts.offline.trainingSet(
    serviceNamed(registry, spec.featureService),
    {
      spineFile: spine.path,
      spineFormat: spine.format,
      timestampColumn: spec.timestampColumn!,
      mode: spec.mode ?? 'EVENT_TIME',
      format,
      registry,
      ...(pin === undefined ? {} : { tableVersions: pin.tables }),
      ...(snapshot.bundleFile === undefined ? {} : { bundleFile: snapshot.bundleFile }),
    },
    options,
  )
  try {
    if (pin !== undefined) refuseOtherBytes(pin, dataset.pin)
  } catch (error) {
    await dataset.dispose()
    throw error
  }
  return {
    dataset,
    format,
    fingerprint: registry.fingerprint,
    tableVersions: dataset.pin.tables,
    pinJson: JSON.stringify(dataset.pin),
    manifestJson: JSON.stringify(dataset.manifest),
  }
}
