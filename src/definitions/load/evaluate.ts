/** Evaluating a bundle of definitions. What is here must run where esbuild is not: a job's child process needs only this. */
import { pathToFileURL } from 'node:url'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Compute } from '../../domain/registry.ts'
import { declarationOf } from '../builders/declarations.ts'
import type { ExportedValue } from '../check/check.ts'
import { offerBuilders } from './builder-module.ts'

/** What the modules of a bundle export, in their order. Throws what the bundle throws. */
export async function evaluateBundle(bundleFile: string): Promise<ExportedValue[]> {
  offerBuilders()
  const modules: unknown = await import(pathToFileURL(bundleFile).href)
  return Object.values(modules as Readonly<Record<string, object>>).flatMap((module) =>
    Object.entries(module).map(([exportName, value]: [string, unknown]) => ({ exportName, value })),
  )
}

/** The functions of the on-demand views of a stored bundle, by view name. DATA_LOSS if it cannot be evaluated. */
export async function loadComputes(bundleFile: string): Promise<ReadonlyMap<string, Compute>> {
  try {
    return computesOf(await evaluateBundle(bundleFile))
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new TwinstoreError('DATA_LOSS', `cannot load the definitions' code ${bundleFile}: ${detail}`, {
      cause: error,
    })
  }
}

/** The functions among checked definitions. */
export function computesOf(values: readonly ExportedValue[]): ReadonlyMap<string, Compute> {
  const computes = new Map<string, Compute>()
  for (const { value } of values) {
    const declared = declarationOf(value)
    if (declared?.kind !== 'onDemand') continue
    const { compute } = declared.options as { readonly compute: Compute }
    computes.set(declared.name as string, compute)
  }
  return computes
}
