/**
 * `twinstore apply`: the definitions in a folder become the current ones of a store, or nothing changes at all.
 *
 * Several processes may apply at once. Each writes its snapshot, whose name is its content, and then tries to add the next
 * entry to the registry's log; who comes second reads what the first did and compares again.
 */
import { faultsError, TwinstoreError } from '../domain/errors.ts'
import type { Definitions } from '../domain/registry.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'
import { nameProblem } from './check/names.ts'
import { type LoadedDefinitions, loadDefinitions } from './load/load.ts'
import { changesBetween } from './stored/changes.ts'
import { type Content, contentOf, contentText, fingerprintOf, registryOf } from './stored/content.ts'
import { nextLayouts } from './stored/layout.ts'
import { appendEntry, type LogEntry, readNewestEntry, snapshotPath } from './stored/registry-log.ts'
import { borrowBundle, readContent } from './stored/snapshots.ts'

export interface ApplyRequest {
  /** The folder or file with the definitions. */
  readonly path: string
  readonly objects: ObjectStore
  /** The name under which a shared online store keeps these definitions' rows; `default` unless given. */
  readonly project?: string
  readonly nowMicros: number
}

export interface Applied {
  readonly definitions: Definitions
  /** In lines for people; empty if these definitions were the current ones already. */
  readonly changes: readonly string[]
  readonly fingerprint: string
  /** What relative paths of source files start from. */
  readonly definitionsDir: string
  /** A local file with the code of the on-demand views, for `loadComputes`; undefined if there are none. */
  readonly bundleFile?: string
}

/** How often the log may be lost to others before giving up: each time one of them did get through. */
const ATTEMPTS_MAX = 20

/** INVALID_ARGUMENT lists every fault of the definitions, FAILED_PRECONDITION every breaking change. */
export async function applyDefinitions(request: ApplyRequest): Promise<Applied> {
  const { objects, nowMicros, project = 'default' } = request
  const problem = nameProblem(project)
  if (problem !== undefined) throw new TwinstoreError('INVALID_ARGUMENT', `project: ${problem}`)
  const loaded = await loadDefinitions(request.path)
  const candidate = candidateOf(loaded, project)
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const result = await tryApply(objects, loaded, candidate, nowMicros)
    if (result !== undefined) return result
  }
  throw new TwinstoreError('ABORTED', `other processes keep applying definitions to ${objects.location}; try again`)
}

/** What is to become current, before it is held against what is. */
interface Candidate {
  readonly project: string
  readonly content: Content
  readonly text: string
  readonly fingerprint: string
}

function candidateOf(loaded: LoadedDefinitions, project: string): Candidate {
  const text = contentText(contentOf(loaded.draft))
  // Read back, so that a registry just applied and one loaded later are the same down to the order of their maps.
  return { project, content: JSON.parse(text), text, fingerprint: fingerprintOf(text, loaded.code) }
}

/** Undefined if another process was faster. */
async function tryApply(
  objects: ObjectStore,
  loaded: LoadedDefinitions,
  candidate: Candidate,
  nowMicros: number,
): Promise<Applied | undefined> {
  const current = await readNewestEntry(objects)
  checkProject(objects, current, candidate.project)
  const { layouts, faults } = nextLayouts(current?.layouts ?? {}, loaded.draft)
  if (faults.length > 0) {
    const summary = `the definitions in ${loaded.definitionsDir} would break stored rows; nothing was applied:`
    throw faultsError('FAILED_PRECONDITION', summary, faults)
  }
  const { project, content, fingerprint } = candidate
  const changes = current?.fingerprint === fingerprint ? [] : await changesSince(objects, current, candidate, loaded)
  if (current?.fingerprint !== fingerprint) {
    await writeSnapshot(objects, candidate, loaded.code)
    const index = (current?.index ?? 0) + 1
    const hasCode = loaded.code !== undefined
    const isFirst = await appendEntry(objects, {
      index,
      project,
      fingerprint,
      hasCode,
      appliedMicros: nowMicros,
      layouts,
    })
    if (!isFirst) return undefined
  }
  return {
    definitions: { registry: registryOf(content, layouts, project, fingerprint), computes: loaded.computes },
    changes,
    fingerprint,
    definitionsDir: loaded.definitionsDir,
    ...(loaded.code === undefined ? {} : { bundleFile: await borrowBundle(objects, fingerprint) }),
  }
}

/** Online rows are kept under the project's name: with another one they would all seem to be gone. */
function checkProject(objects: ObjectStore, current: LogEntry | undefined, project: string): void {
  if (current === undefined || current.project === project) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `${objects.location} belongs to project ${current.project}, not ${project}; give each project a store of its own`,
  )
}

async function changesSince(
  objects: ObjectStore,
  current: LogEntry | undefined,
  candidate: Candidate,
  loaded: LoadedDefinitions,
): Promise<string[]> {
  if (current === undefined) return changesBetween(undefined, candidate.content, false)
  const before = await readContent(objects, current)
  const codeBefore = current.hasCode ? await objects.read(snapshotPath(current.fingerprint, 'mjs')) : undefined
  const codeChanged =
    codeBefore !== undefined && loaded.code !== undefined && codeBefore.toString('utf8') !== loaded.code
  return changesBetween(before, candidate.content, codeChanged)
}

/** Content-addressed: whoever wrote it before wrote the same. */
async function writeSnapshot(objects: ObjectStore, candidate: Candidate, code: string | undefined): Promise<void> {
  if (code !== undefined) await objects.putIfAbsent(snapshotPath(candidate.fingerprint, 'mjs'), Buffer.from(code))
  await objects.putIfAbsent(snapshotPath(candidate.fingerprint, 'json'), Buffer.from(candidate.text))
}
