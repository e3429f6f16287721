/** `npm run cluster:up` and `cluster:down` as a person uses them, in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../support/redis/free-port.mjs'
import { hashSlot } from '../support/redis/hash-slot.mjs'
import { isAlive } from '../support/redis/is-alive.mjs'
import { request } from '../support/redis/resp.mjs'

const COMMAND = new URL('../support/redis/cluster-command.mjs', import.meta.url).pathname
/** Of three primaries, the first has the first third of the slots. */
const KEY_OF_FIRST = Array.from({ length: 100 }, (_, i) => `key${i}`).find((key) => hashSlot(key) < 5000)!

let dir: string
let basePort: number
let stranger: ChildProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-cluster-command-'))
  basePort = await freePorts(6)
  stranger = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
})
afterAll(() => {
  run('down')
  stranger.kill()
  rmSync(dir, { recursive: true, force: true })
})

function run(...args: string[]) {
  return spawnSync(process.execPath, [COMMAND, ...args], { cwd: dir, encoding: 'utf8' })
}

const recordFile = () => join(dir, 'data/redis-cluster/cluster.json')
const recorded = (): { nodes: { port: number; pid: number; dir: string }[] } =>
  JSON.parse(readFileSync(recordFile(), 'utf8'))

test('up, up again, down, and up with the same data', async () => {
  const first = run('up', '--base-port', String(basePort))
  expect(first.stderr).toBe('')
  const ports = Array.from({ length: 6 }, (_, i) => basePort + i)
  expect(first.stdout).toContain(`--online redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`)
  await request({ port: basePort }, ['SET', KEY_OF_FIRST, 'kept'])
  const { nodes } = recorded()

  expect(run('up').stdout).toContain('is running already')
  expect(recorded().nodes).toEqual(nodes)

  expect(run('down').stdout).toContain('Ended 6 nodes')
  expect(nodes.filter(({ pid }) => isAlive(pid))).toEqual([])
  expect(run('down').stdout).toContain('No Redis Cluster')

  expect(run('up', '--base-port', String(basePort + 10)).stderr).toContain('remove the folder')
  expect(run('up').stdout).toContain('is up')
  expect(String(await request({ port: basePort }, ['GET', KEY_OF_FIRST]))).toBe('kept')
})

test('down leaves alone what has the pid of a node and is none, and what does not answer', () => {
  const { nodes } = recorded()
  const [paused] = nodes
  const record = { ...recorded(), nodes: nodes.map((node, i) => (i === 5 ? { ...node, pid: stranger.pid } : node)) }
  writeFileSync(recordFile(), JSON.stringify(record))
  process.kill(paused!.pid, 'SIGSTOP')
  const down = run('down')
  process.kill(paused!.pid, 'SIGCONT')
  process.kill(nodes[5]!.pid, 'SIGTERM')
  expect(down.stdout).toContain('Ended 4 nodes')
  expect(down.stderr).toContain(`pid ${paused!.pid}`)
  expect(isAlive(stranger.pid!)).toBe(true)
  expect(run('down').stdout).toContain('Ended 1 nodes')
})

test('what it does not understand gets its usage', () => {
  expect(run('sideways')).toMatchObject({ status: 1, stderr: expect.stringContaining('usage:') })
  expect(run('up', '--base-port', '80').stderr).toContain('from 1024 to 55000')
})
