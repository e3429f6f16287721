/**
 * What the recipes share: a server to ask, or the address of one; a tool that may be missing; and what has to be right before
 * and after.
 *
 * A recipe asks for one pair of airports of the flights example, so that it runs against `npm start` as well. Exit code 0: the tool
 * ran and every answer that could be checked was right; 1: one was not; 3: the tool is not here.
 */
import { spawn, spawnSync } from 'node:child_process'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { connect } from '../../dist/client/index.js'
import { writeAirportStatus, writeDailyRows } from '../lib/feature-data.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'

export const SERVICE = 'predict_delay'
export const PAIR = { origin: 'ATL', destination: 'ORD' }
const EXIT_TOOL_MISSING = 3

/** The rows are written: a sync would change the answer. */
const FLAGS = ['--http', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--sync-on-start', 'never']
const OPTIONS = {
  grpc: { type: 'string' },
  http: { type: 'string' },
  metrics: { type: 'string' },
  seconds: { type: 'string', default: '5' },
  'in-flight': { type: 'string', default: '8' },
}
const USAGE = `
  --grpc, --http, --metrics   addresses of a server that runs, all three; without them one is started
  --seconds 5                 how long
  --in-flight 8               requests at a time`

/**
 * Runs a recipe and ends the process with its exit code. `tool`: { command, arguments to see whether it is there, install };
 * `work({ grpc, http, seconds, inFlight, counted })` loads the server and throws if something was wrong.
 */
export async function runRecipe(tool, work) {
  let settings
  try {
    settings = readSettings()
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`)
    process.exit(2)
  }
  if (spawnSync(tool.command, tool.probe, { stdio: 'ignore' }).error) {
    console.error(`${tool.name} is not on the PATH. To get it:\n  ${tool.install}`)
    process.exit(EXIT_TOOL_MISSING)
  }
  try {
    await withResources((defer) => checked(defer, settings, work))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

function readSettings() {
  const { values } = parseArgs({ options: OPTIONS })
  const { grpc, http, metrics } = values
  const given = [grpc, http, metrics].filter((address) => address !== undefined)
  if (given.length % 3 !== 0) throw new Error('give --grpc, --http and --metrics, or none of them')
  const [seconds, inFlight] = [Number(values.seconds), Number(values['in-flight'])]
  if (!(seconds > 0) || !(inFlight > 0)) throw new Error('--seconds and --in-flight are numbers above 0')
  return { addresses: given.length === 0 ? undefined : { grpc, http, metrics }, seconds, inFlight }
}

async function checked(defer, { addresses, seconds, inFlight }, work) {
  const { grpc, http, metrics } = addresses ?? (await startServer(defer))
  const client = connect(grpc)
  defer(() => client.close())
  const before = await agreedAnswer(client, http)
  await work({ grpc, http, seconds, inFlight, counted: (name, load) => counted(metrics, name, load) })
  const after = await agreedAnswer(client, http)
  if (!isDeepStrictEqual(before, after)) throw new Error('WRONG: the answer after the load is not the one before it')
  console.log(`answers before and after: equal, ${Object.keys(before).length} values, the same over gRPC and HTTP`)
}

async function startServer(defer) {
  const server = await startTwinstore(defer, {
    definitions: '../examples/flights',
    dataDir: temporaryFolder(defer),
    flags: FLAGS,
  })
  const client = connect(server.address)
  await writeDailyRows(client)
  await writeAirportStatus(client)
  client.close()
  return { grpc: server.address, http: server.httpAddress, metrics: server.metricsAddress }
}

/** The values of the pair, decoded; both edges must give the same ones. */
async function agreedAnswer(client, http) {
  const { rows } = await client.getFeatures({ service: SERVICE, entities: [PAIR] })
  const overGrpc = Object.entries(rows[0].values).map(([name, value]) => [
    name,
    typeof value === 'bigint' ? Number(value) : value,
  ])
  const overHttp = JSON.parse(await httpAnswer(http)).rows[0].values
  const values = Object.fromEntries(overGrpc)
  if (isDeepStrictEqual(values, overHttp)) return values
  throw new Error(`WRONG: gRPC says ${JSON.stringify(values)},\nHTTP says ${JSON.stringify(overHttp)}`)
}

export const HTTP_BODY = JSON.stringify({ feature_service: SERVICE, entities: [PAIR] })

export async function httpAnswer(http) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`http://${http}/v1/get-features`, { method: 'POST', headers, body: HTTP_BODY })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`WRONG: HTTP ${response.status}: ${text}`)
  return text
}

/** How much the samples of a metric grew while `load` ran, by labels: what the server itself says of its answers. */
async function counted(metrics, name, load) {
  const before = await samples(metrics, name)
  await load()
  const after = await samples(metrics, name)
  const grown = [...after].map(([labels, value]) => [labels, value - (before.get(labels) ?? 0)])
  return new Map(grown.filter(([, count]) => count > 0))
}

async function samples(metrics, name) {
  const text = await (await fetch(`http://${metrics}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return new Map(
    lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

/** Prints the command as a shell takes it, runs it, and resolves to what it printed. */
export async function runTool(command, args) {
  console.log(`$ ${[command, ...args].map(quoted).join(' ')}`)
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let problems = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    problems += text
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${problems || output}`)
  return output
}

function quoted(word) {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
