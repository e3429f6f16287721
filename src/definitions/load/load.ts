/** From a folder on disk to checked definitions: bundle, evaluate, check. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultsError } from '../../domain/errors.ts'
import type { Compute } from '../../domain/registry.ts'
import { type CheckOptions, checkDefinitions, type ExportedValue } from '../check/check.ts'
import type { Draft } from '../check/draft.ts'
import type { Locate } from '../check/fault-scope.ts'
import { type Bundle, bundleDefinitions } from './bundle.ts'
import { computesOf, evaluateBundle } from './evaluate.ts'
import { locator } from './source-positions.ts'

export interface LoadedDefinitions {
  readonly draft: Draft
  readonly computes: ReadonlyMap<string, Compute>
  /** The bundle; undefined if no on-demand view needs its functions. */
  readonly code?: string
  /** What relative paths of source files start from. */
  readonly definitionsDir: string
}

/** INVALID_ARGUMENT that lists every fault with its place; NOT_FOUND if there is nothing at `path`. */
export async function loadDefinitions(path: string, options?: CheckOptions): Promise<LoadedDefinitions> {
  const bundle = await bundleDefinitions(path)
  const tempDir = await mkdtemp(join(tmpdir(), 'twinstore-definitions-'))
  try {
    const bundleFile = join(tempDir, 'bundle.mjs')
    await writeFile(bundleFile, bundle.code)
    const locate = locator(bundle, bundleFile)
    const values = await evaluate(bundle, bundleFile, locate)
    const draft = checkDefinitions(values, locate, bundle.folder, options)
    return {
      draft,
      computes: computesOf(values),
      ...(draft.onDemandViews.length > 0 ? { code: bundle.code } : {}),
      definitionsDir: bundle.folder,
    }
  } finally {
    await rm(tempDir, { recursive: true, force: true })
  }
}

async function evaluate(bundle: Bundle, bundleFile: string, locate: Locate): Promise<ExportedValue[]> {
  try {
    return await evaluateBundle(bundleFile)
  } catch (error) {
    const problem = error instanceof Error ? `threw ${error.name}: ${error.message}` : `threw ${String(error)}`
    const at = (error instanceof Error && locate(error.stack ?? '')) || 'definitions'
    throw faultsError('INVALID_ARGUMENT', `the definitions in ${bundle.folder} cannot be evaluated:`, [{ at, problem }])
  }
}
