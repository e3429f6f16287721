/** GetTrainingSet: point-in-time correct feature rows for a spine that is sent, or that the definitions name. */
import { TwinstoreError } from '../domain/errors.ts'
import { refuse, serviceNamed } from '../domain/known-names.ts'
import type { Registry, SourceFile } from '../domain/registry.ts'
import type { JobOptions } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { type DatasetPart, streamDataset } from './dataset-stream.ts'
import type { KeptDatasets } from './kept-datasets.ts'
import type { NamedDataset } from './named-dataset.ts'
import { type OfflineParts, type Snapshot, snapshotOf } from './offline-parts.ts'
import { agreeWithPin, type Pin, parsePin, refuseOtherBytes } from './pin.ts'
import { askedDigest, checkedResume, type ResumePoint } from './resume-token.ts'
import { storageIds } from './service-spine.ts'
import { type SpineFile, spoolSpine } from './spine-spool.ts'
import type { TrainingSetPart, TrainingSetSpec } from './training-set-spec.ts'

export async function* getTrainingSet(
  parts: OfflineParts,
  kept: KeptDatasets,
  incoming: AsyncIterable<TrainingSetPart>,
  context: CallContext,
): AsyncGenerator<DatasetPart> {
  const iterator = incoming[Symbol.asyncIterator]()
  const { spec, pin, snapshot, asked, resume } = await readSpec(parts, iterator)
  const stream = (make: (options: JobOptions) => Promise<NamedDataset>) =>
    streamDataset({ asked, resume, make }, kept, context, parts.settings)
  if (resume !== undefined && kept.has(resume.token.id)) {
    yield* stream(() => Promise.reject(noLongerKept()))
    return
  }
  const spine = await receiveSpine(
    parts,
    spec,
    snapshot.definitions.registry,
    iterator,
    resume === undefined ? noSpine : noLongerKept,
  )
  try {
    if (pin === undefined) {
      const { registry } = snapshot.definitions
      const service = serviceNamed(registry, spec.featureService)
      await parts.archiver.flush(context.signal, storageIds(registry, service))
    }
    yield* stream((options) => join(parts, spec, pin, snapshot, spine, options))
  } finally {
    await spine.dispose()
  }
}

interface Agreed {
  readonly spec: TrainingSetSpec
  readonly pin: Pin | undefined
  readonly snapshot: Snapshot
  /** Digest of what decides the bytes besides the spine, which a pin and a checksum hold. */
  readonly asked: string
  readonly resume: ResumePoint | undefined
}

/** Everything that can be refused is refused before the spine is sent. */
async function readSpec(parts: OfflineParts, incoming: AsyncIterator<TrainingSetPart>): Promise<Agreed> {
  const first = await incoming.next()
  if (first.done || !('spec' in first.value)) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'the first message of GetTrainingSet must have `spec`')
  }
  const { resume: resumeCall, ...given } = first.value.spec
  const pinOfRequest = given.pinJson === undefined ? undefined : parsePin(given.pinJson)
  const spec = pinOfRequest === undefined ? given : agreeWithPin(given, pinOfRequest)
  const asked = askedDigest(decisive(spec))
  const resume = resumeCall === undefined ? undefined : checkedResume(resumeCall, asked)
  // What is made again is made at the pin of the first time.
  const pin = pinOfRequest ?? (resume?.token.pinJson === undefined ? undefined : parsePin(resume.token.pinJson))
  const snapshot = await snapshotOf(parts, pin?.fingerprint)
  serviceNamed(snapshot.definitions.registry, spec.featureService)
  if (spec.timestampColumn === undefined) {
    throw new TwinstoreError('INVALID_ARGUMENT', "spec.timestamp_column is empty: name the spine's timestamp column")
  }
  return { spec, pin, snapshot, asked, resume }
}

function decisive({ featureService, timestampColumn, mode, format, spineSource }: TrainingSetSpec): object {
  return { featureService, timestampColumn, mode: mode ?? 'EVENT_TIME', format: format ?? 'parquet', spineSource }
}

function noSpine(): TwinstoreError {
  return new TwinstoreError(
    'INVALID_ARGUMENT',
    'no spine: send `spine` messages after the spec, or name a spine_source',
  )
}

function noLongerKept(): TwinstoreError {
  return new TwinstoreError(
    'NOT_FOUND',
    'the training set is no longer kept here (options dataset-keep, dataset-keep-bytes-max): ' +
      'send the same request with its spine, and it is made again at its pin',
  )
}

async function receiveSpine(
  parts: OfflineParts,
  spec: TrainingSetSpec,
  registry: Registry,
  incoming: AsyncIterator<TrainingSetPart>,
  absent: () => TwinstoreError,
): Promise<SpineFile> {
  if (spec.spineSource === undefined) {
    return spoolSpine(incoming, spec.spineFormat ?? 'parquet', parts.spoolDir, parts.settings.spineBytesMax, absent)
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
