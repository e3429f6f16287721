/**
 * Definitions as one self-contained ES module: the modules of a folder, with the npm packages they import.
 *
 * The bytes depend on the code alone, neither on where the folder is nor on comments and layout, because the fingerprint
 * covers them. Hence esbuild's minifier for white space and identifiers: without it the names of CommonJS modules in the
 * output are paths relative to the folder. Neither tsconfig.json files above the folder are read, for the same reason.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { type BuildFailure, type BuildOptions, type BuildResult, build, type Message, type Plugin, stop } from 'esbuild'
import { type Fault, faultsError, TwinstoreError } from '../../domain/errors.ts'
import { builderModuleSource } from './builder-module.ts'

export interface Bundle {
  readonly code: string
  /** The source map, as JSON; its sources are relative to `folder`. */
  readonly sourceMap: string
  /** The folder of the definitions: what their relative paths start from. */
  readonly folder: string
}

/** CommonJS packages ask for Node's own modules through `require`, which an ES module does not have. */
const REQUIRE_BANNER = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);"

let buildsUnderWay = 0

/** Bundles a folder, or one file. INVALID_ARGUMENT with file and line if the code does not compile. */
export async function bundleDefinitions(path: string): Promise<Bundle> {
  const { folder, modules } = await findModules(resolve(path))
  buildsUnderWay++
  try {
    const plain = await build(buildOptions(folder, modules, ''))
    const result = requiresNodeModules(plain) ? await build(buildOptions(folder, modules, REQUIRE_BANNER)) : plain
    const output = (ending: string) => result.outputFiles.find((file) => file.path.endsWith(ending))!.text
    return { code: output('.mjs'), sourceMap: output('.map'), folder }
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    throw faultsError('INVALID_ARGUMENT', `the definitions in ${path} do not compile:`, error.errors.map(faultOf))
  } finally {
    // esbuild works in a child process, which would otherwise stay as long as the server does.
    if (--buildsUnderWay === 0) await stop()
  }
}

async function findModules(path: string): Promise<{ readonly folder: string; readonly modules: readonly string[] }> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) {
    throw new TwinstoreError('NOT_FOUND', `no definitions at ${path}: give a folder or a file (option --definitions)`)
  }
  if (!found.isDirectory()) return { folder: dirname(path), modules: [basename(path)] }
  const modules = (await readdir(path)).filter(isDefinitionsModule).sort(indexFirst)
  if (modules.length > 0) return { folder: path, modules }
  throw new TwinstoreError('NOT_FOUND', `no .ts or .js file in ${path} (option --definitions)`)
}

/** Every module of the folder itself counts, but for declarations, tests and the configuration of other tools. */
function isDefinitionsModule(name: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(name) && !/\.(d|test|spec|config)\.m?[tj]s$/.test(name)
}

function indexFirst(a: string, b: string): number {
  const rank = (name: string) => (/^index\.m?[tj]s$/.test(name) ? 0 : 1)
  return rank(a) - rank(b) || (a < b ? -1 : 1)
}

function buildOptions(folder: string, modules: readonly string[], banner: string) {
  const entry = modules.map((name, index) => `export * as module${index} from ${JSON.stringify(`./${name}`)}`)
  return {
    stdin: { contents: entry.join('\n'), resolveDir: folder, sourcefile: 'definitions' },
    absWorkingDir: folder,
    outfile: 'bundle.mjs',
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    banner: { js: banner },
    minifyWhitespace: true,
    minifyIdentifiers: true,
    legalComments: 'none',
    sourcemap: 'external',
    metafile: true,
    tsconfigRaw: '{}',
    logLevel: 'silent',
    plugins: [twinstorePlugin],
  } satisfies BuildOptions
}

const twinstorePlugin: Plugin = {
  name: 'twinstore',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^twinstore$/ }, () => ({ path: 'twinstore', namespace: 'twinstore' }))
    onResolve({ filter: /^twinstore\// }, ({ path }) => ({
      errors: [{ text: `definitions can import from 'twinstore' only, not from '${path}'` }],
    }))
    onLoad({ filter: /.*/, namespace: 'twinstore' }, () => ({ contents: builderModuleSource() }))
  },
}

function requiresNodeModules(result: BuildResult<{ metafile: true }>): boolean {
  const imports = Object.values(result.metafile.outputs).flatMap((output) => output.imports)
  return imports.some((found) => found.kind === 'require-call' && found.external === true)
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors)
}

function faultOf(message: Message): Fault {
  const { location } = message
  const at = location === null ? 'definitions' : `${location.file}:${location.line}:${location.column + 1}`
  return { at, problem: message.text }
}
