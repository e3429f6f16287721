/**
 * `npm run cluster:up` and `npm run cluster:down`: a Redis Cluster of six nodes on this machine to try Twinstore with.
 *
 * Data and logs are in data/redis-cluster under the current folder and stay when it is down. The nodes outlive the command;
 * cluster.json says which they are. A pid can be another process's by now, so `down` ends one only when the server on its
 * port says that it has this pid and this folder.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isAlive } from './is-alive.mjs'
import { startCluster } from './redis-cluster.mjs'
import { request } from './resp.mjs'
import { until } from './until.mjs'

const FOLDER = resolve('data/redis-cluster')
const RECORD = join(FOLDER, 'cluster.json')
const DEFAULT_PORT = 7000
const LAST_PORT = 55_000
const ANSWER_MS = 2000
const STOP_MS = 20_000
const USAGE = 'usage: cluster-command.mjs up [--base-port 7000] | down'

class Refusal extends Error {}

try {
  const { positionals, values } = parseArgs({ options: { 'base-port': { type: 'string' } }, allowPositionals: true })
  if (positionals.length === 1 && positionals[0] === 'up') await up(values['base-port'])
  else if (positionals.length === 1 && positionals[0] === 'down') await down()
  else throw new Refusal(USAGE)
} catch (error) {
  console.error(error instanceof Refusal || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error)
  process.exitCode = 1
}

async function up(portText) {
  const record = readRecord()
  const basePort = chosenPort(portText, record)
  const states = await Promise.all(record.nodes.map(stateOf))
  const running = states.filter((state) => state !== 'gone').length
  if (running === record.nodes.length && running > 0) return say('is running already', record)
  if (running > 0) {
    throw new Refusal(`${running} of the ${states.length} nodes are still there: npm run cluster:down first`)
  }
  mkdirSync(FOLDER, { recursive: true })
  const cluster = await startCluster({ dir: FOLDER, basePort, detached: true }).catch((error) => {
    throw new Refusal(`${error.message}\nPorts ${basePort} to ${basePort + 5} and those 10000 above must be free.`)
  })
  const nodes = cluster.nodes.map(({ port, pid, dir }) => ({ port, pid, dir }))
  writeRecord({ basePort, nodes })
  for (const node of cluster.nodes) node.leaveRunning()
  say('is up', { nodes })
}

async function down() {
  const record = readRecord()
  const states = await Promise.all(record.nodes.map(stateOf))
  const running = record.nodes.filter((_, i) => states[i] === 'running')
  for (const { pid } of running) process.kill(pid, 'SIGTERM')
  await until('the end of all nodes', STOP_MS, () => !running.some(({ pid }) => isAlive(pid)))
  const silent = record.nodes.filter((_, i) => states[i] === 'silent')
  if (existsSync(RECORD)) writeRecord({ ...record, nodes: silent })
  if (running.length === 0 && silent.length === 0) return console.log('No Redis Cluster of this folder is running.')
  console.log(`Ended ${running.length} nodes; their data stays in ${FOLDER}.`)
  if (silent.length > 0) {
    const names = silent.map(({ port, pid }) => `pid ${pid} (port ${port})`).join(', ')
    throw new Refusal(
      `Left alone, because they do not answer who they are: ${names}. See whether they are redis-server.`,
    )
  }
}

function chosenPort(text, { basePort }) {
  const chosen = text === undefined ? (basePort ?? DEFAULT_PORT) : Number(text)
  if (!Number.isInteger(chosen) || chosen < 1024 || chosen > LAST_PORT) {
    throw new Refusal(`--base-port must be from 1024 to ${LAST_PORT}, not ${text}`)
  }
  if (basePort !== undefined && basePort !== chosen) {
    throw new Refusal(
      `${FOLDER} holds the data of a Cluster on ports from ${basePort}: use these, or remove the folder`,
    )
  }
  return chosen
}

/** `silent`: something is there that does not say what it is, as a stopped process does. */
async function stateOf({ port, pid, dir }) {
  try {
    const info = (await request({ port }, ['INFO', 'server'], ANSWER_MS)).toString()
    const [, folder] = await request({ port }, ['CONFIG', 'GET', 'dir'], ANSWER_MS)
    const isOurs = Number(/process_id:(\d+)/.exec(info)?.[1]) === pid && folder.toString() === realpathSync(dir)
    return isOurs ? 'running' : 'gone'
  } catch (error) {
    return error.code === 'ECONNREFUSED' || !isAlive(pid) ? 'gone' : 'silent'
  }
}

function readRecord() {
  return existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : { nodes: [] }
}

function writeRecord(record) {
  writeFileSync(RECORD, `${JSON.stringify(record, null, 2)}\n`)
}

function say(what, { nodes }) {
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  console.log(`A Redis Cluster of ${nodes.length} nodes ${what}; its data is in ${FOLDER}.`)
  console.log(`  use it:  --online ${url}`)
  console.log('  stop it: npm run cluster:down')
}
