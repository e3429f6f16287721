/** Which definitions a server runs on. */
import type { Config } from '../config/option-table.ts'
import { applyDefinitions } from '../definitions/apply.ts'
import { loadCurrent, loadSnapshot } from '../definitions/stored/snapshots.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { Definitions } from '../domain/registry.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'
import type { ServerAsWorker, StartHooks } from './start.ts'

export interface AppliedDefinitions {
  readonly definitions: Definitions
  readonly changes: readonly string[]
  /** What relative paths of source files start from. */
  readonly sourceDir: string
  readonly bundleFile?: string
}

/** Those that the other workers serve; else the definitions that the options name, applied; or those applied last. */
export async function definitionsOf(
  config: Config,
  objects: ObjectStore,
  hooks?: StartHooks,
  worker?: ServerAsWorker,
): Promise<AppliedDefinitions> {
  if (worker?.definitions !== undefined) {
    const { fingerprint, sourceDir } = worker.definitions
    return { ...(await loadSnapshot(objects, fingerprint)), changes: [], sourceDir }
  }
  const path = config.definitions
  if (path !== '') {
    const nowMicros = clock.nowMicros()
    const applied = await applyDefinitions({ path, objects, project: config.project, nowMicros })
    hooks?.onApplied(applied.changes)
    return { ...applied, sourceDir: config['source-dir'] || applied.definitionsDir }
  }
  const stored = await loadCurrent(objects)
  if (stored !== undefined) return { ...stored, changes: [], sourceDir: config['source-dir'] || process.cwd() }
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `no definitions were ever applied to ${objects.location}; give a folder with --definitions`,
  )
}
