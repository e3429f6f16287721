/** The processes that are measured: a server as an operator starts it, and the bare servers it is compared with. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cpuSeconds } from './cpu-account.mjs'
import { onForcedEnd } from './resources.mjs'

const SERVER = 'cli/main.js'
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

/**
 * `definitions` is a path from the bench folder. With `pausesFile` the process writes its pauses to `<pausesFile>.<pid>`
 * (`pauses-preload.mjs`).
 */
export function startTwinstore(defer, { definitions, dataDir, flags = [], nodeFlags = [], pausesFile }) {
  const where = ['--definitions', path(`../${definitions}`), '--data-dir', dataDir, '--grpc', '127.0.0.1:0']
  // Syncs of the flights on their schedule would take a core for the first ten seconds of whatever is measured.
  const quiet = ['--log-level', 'error', '--sync-schedule', 'off']
  const command = [path(`../../dist/${SERVER}`), 'serve', ...where, ...quiet, ...flags]
  const observing = pausesFile === undefined ? [] : ['--import', path('pauses-preload.mjs')]
  return startServer(defer, [...nodeFlags, ...observing, ...command], { BENCH_PAUSES: pausesFile })
}

export function startStaticServer(defer) {
  return startServer(defer, [path('static-server.mjs')])
}

/** Its address is `httpAddress`. */
export function startStaticHttpServer(defer) {
  return startServer(defer, [path('static-http-server.mjs')])
}

/** Seconds from spawn to exit of a script that must succeed. */
export async function runScript(script, args) {
  const { child, ended, output, spawnedMs } = spawnNode([path(script), ...args])
  await ended
  if (child.exitCode !== 0) throw new Error(`${script} failed:\n${output()}`)
  return { seconds: (performance.now() - spawnedMs) / 1000, output: output() }
}

async function startServer(defer, args, environment = {}) {
  const { child, ended, output, spawnedMs } = spawnNode(args, environment)
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  defer(stop)
  const addresses = await Promise.race([
    readyAddresses(child),
    ended.then(() => {
      throw new Error(`node ${args.join(' ')} ended before it was ready:\n${output()}`)
    }),
  ])
  const readySeconds = (performance.now() - spawnedMs) / 1000
  const { pid } = child
  return { ...addresses, pid, readySeconds, cpuSeconds: () => cpuSeconds(pid), rssMib: () => rssMib(pid), stop }
}

function spawnNode(args, environment = {}) {
  const spawnedMs = performance.now()
  const env = { ...cleanEnvironment(), ...environment }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const forget = onForcedEnd(() => child.kill('SIGKILL'))
  const ended = once(child, 'close').finally(forget)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  return { child, ended, output: () => output, spawnedMs }
}

async function readyAddresses(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^ready(?: grpc (\S+))?(?: http (\S+))?(?: metrics (\S+))?/.exec(line)
    if (ready) return { address: ready[1], httpAddress: ready[2], metricsAddress: ready[3] }
  }
  return new Promise(() => {})
}

/** Options that happen to be set where the benchmark runs must not change what it measures. */
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TWINSTORE_')))
}

/** Of this process and of what it started, and what that started, as far as it runs. */
export function cpuSecondsWithChildren() {
  const { user, system } = process.cpuUsage()
  const own = (user + system) / 1e6
  return process.platform === 'linux'
    ? descendantsOf(process.pid).reduce((sum, pid) => sum + cpuSeconds(pid), own)
    : Number.NaN
}

/** The processes of a server that serve: itself, or its supervisor and then its workers. Its jobs are none of them. */
export function servingPids(pid) {
  if (process.platform !== 'linux') return [pid]
  return [pid, ...childrenOf(pid).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(SERVER))]
}

/** What the process started, what that started, and so on; nothing where the system does not tell. */
export function descendantsOf(pid) {
  if (process.platform !== 'linux') return []
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
}

/** Resident memory now; NaN where the system does not tell. */
function rssMib(pid) {
  if (process.platform !== 'linux') return Number.NaN
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kib) / 1024
}
