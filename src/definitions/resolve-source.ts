/** A source's SQL with the paths of its files put in. Where files are depends on the machine and is not part of definitions. */
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TwinstoreError } from '../domain/errors.ts'
import type { SourceFile, SqlSource } from '../domain/registry.ts'

/** NOT_FOUND if a file is not there, naming it, where it was looked for, and what to do. */
export async function resolveSource(source: SqlSource, definitionsDir: string): Promise<string> {
  const paths = await Promise.all(source.files.map((file) => resolveFile(file, definitionsDir)))
  return source.sql.replaceAll(/\{\{(\d+)\}\}/g, (_, index: string) => sqlString(paths[Number(index)]!))
}

/** The local path of a source file. */
export async function resolveFile(file: SourceFile, definitionsDir: string): Promise<string> {
  const candidates = file.location.startsWith('npm:')
    ? packageCandidates(file.location.slice('npm:'.length), definitionsDir)
    : [resolve(definitionsDir, file.location)]
  for (const path of candidates) {
    if (await isFile(path)) return path
  }
  const advice = file.location.startsWith('npm:')
    ? `install the package (npm install ${packageName(file.location)}) in or above ${definitionsDir}`
    : "put it there, or say where it is: file('name', { at: 'path' })"
  const looked = candidates.map((path) => `  ${path}`).join('\n')
  throw new TwinstoreError(
    'NOT_FOUND',
    `source file ${file.name} (${file.location}) is not there; ${advice}. Looked for:\n${looked}`,
  )
}

/** As Node resolves packages: upwards from the definitions; then upwards from this program, whose own packages also serve. */
function packageCandidates(path: string, definitionsDir: string): string[] {
  const starts = [resolve(definitionsDir), dirname(fileURLToPath(import.meta.url))]
  return [...new Set(starts.flatMap((start) => upwards(start)).map((folder) => join(folder, 'node_modules', path)))]
}

function upwards(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...upwards(parent)]
}

function packageName(location: string): string {
  return /^npm:((?:@[^/]+\/)?[^/]+)/.exec(location)![1]!
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() === true
}

function sqlString(path: string): string {
  return `'${path.replaceAll("'", "''")}'`
}
