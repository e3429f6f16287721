/** The real `twinstore` command in a process of its own: what it prints and how it ends. */
import { execFile } from 'node:child_process'
import { endChildWithThisProcess } from './ends-with-us.mjs'

/** The built command, to be run with Node. */
export const COMMAND = new URL('../../dist/cli/main.js', import.meta.url).pathname
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** Runs `twinstore <args>` in the folder `cwd`, with no option taken from the environment of the tests but those of `variables`. */
export function runCommand(
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('TWINSTORE_'))
  const env = { ...Object.fromEntries(others), ...variables }
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [COMMAND, ...args],
      { cwd, env, maxBuffer: OUTPUT_BYTES_MAX },
      (error, stdout, stderr) => {
        if (child.exitCode !== null) resolve({ stdout, stderr, exitCode: child.exitCode })
        else reject(error ?? new Error(`twinstore ${args.join(' ')} ended by a signal:\n${stderr}`))
      },
    )
    endChildWithThisProcess(child)
  })
}
