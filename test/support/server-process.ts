/** A real server in a process of its own, as an operator runs it: the compiled command, a data folder, a free port, and the transport that the tests run over. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { endChildWithThisProcess } from './ends-with-us.mjs'
import { TRANSPORT } from './transport.ts'

const COMMAND = new URL('../../dist/cli/main.js', import.meta.url).pathname

export interface ServerProcess {
  readonly address: string
  /** Of HTTP with JSON; undefined unless it is served. */
  readonly httpAddress: string | undefined
  /** Of `/metrics`; undefined unless they are served. */
  readonly metricsAddress: string | undefined
  readonly process: ChildProcess
  /** SIGTERM and a drain; resolves to the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** What it has written to standard error so far. */
  stderr(): string
}

export interface StartOptions {
  readonly dataDir: string
  readonly definitions: string
  readonly flags?: readonly string[]
  /** Called with the process as soon as it exists, so that a test can end it before it is ready. */
  readonly onSpawn?: (process: ChildProcess) => void
}

/** Resolves when the ready line is there; rejects with standard error if the process ends before. */
export async function startServerProcess(options: StartOptions): Promise<ServerProcess> {
  const { dataDir, definitions, flags = [], onSpawn } = options
  const place = ['--definitions', definitions, '--data-dir', dataDir, '--grpc', '127.0.0.1:0']
  const args = [COMMAND, 'serve', ...place, '--transport', TRANSPORT, ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onSpawn?.(child)
  endChildWithThisProcess(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'exit')
  const { address, httpAddress, metricsAddress } = await Promise.race([
    readyAddresses(child),
    ended.then(([code, signal]) => {
      throw new Error(`the server ended before it was ready (${signal ?? code}):\n${stderr}`)
    }),
  ])
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal)
    await ended
    return child.exitCode
  }
  return {
    address,
    httpAddress,
    metricsAddress,
    process: child,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL')
    },
    stderr: () => stderr,
  }
}

type Addresses = Pick<ServerProcess, 'address' | 'httpAddress' | 'metricsAddress'>

async function readyAddresses(child: ChildProcess): Promise<Addresses> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const ready = /^ready grpc (\S+)(?: http (\S+))?(?: metrics (\S+))?/.exec(line)
    if (ready) return { address: ready[1]!, httpAddress: ready[2], metricsAddress: ready[3] }
  }
  return new Promise(() => {})
}
