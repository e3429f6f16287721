/**
 * Runs code in a process of its own. The test runner evaluates bundles in its own way, with other positions in stack
 * traces; what users see comes from Node.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { tempFolder } from './definitions-folder.ts'

export interface Ended {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** `script` is TypeScript in this folder's terms; packages in `withPackages` are there, all others are not. */
export async function runScript(
  script: string,
  args: readonly string[],
  withPackages: readonly string[],
): Promise<Ended> {
  const file = join(await tempFolder(), 'script.mjs')
  await build({
    stdin: { contents: script, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    plugins: [
      {
        name: 'packages',
        setup({ onResolve }) {
          onResolve({ filter: /^[a-z@]/ }, ({ path }) =>
            withPackages.includes(path) ? { path: import.meta.resolve(path), external: true } : undefined,
          )
        },
      },
    ],
  })
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { exitCode: await ended, stdout, stderr }
}

/** Loads definitions as a starting process would: exit code 1 and the message on stderr if they are not valid. */
export function loadInProcess(path: string): Promise<Ended> {
  const script = `
    import { loadDefinitions } from '../../src/definitions/load/load.ts'
    try {
      await loadDefinitions(process.argv[2]!)
    } catch (error) {
      process.stderr.write((error as Error).message)
      process.stdout.write(JSON.stringify((error as { faults: unknown }).faults))
      process.exitCode = 1
    }`
  return runScript(script, [path], ['esbuild'])
}
