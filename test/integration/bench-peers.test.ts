/** The benchmark's peer hook, against servers that speak Feast's gRPC and HTTP, right and wrong ones. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { openPeer, type Peer } from '../../bench/peers/open-peer.mjs'
import { parsePeers } from '../../bench/peers/peer-address.mjs'
import { type Column, Refusal, type StandIn, startGrpcStandIn, startHttpStandIn } from '../support/feast-stand-in.ts'

const RUN = new URL('../../bench/run.mjs', import.meta.url).pathname
const SERVING = '/feast.serving.ServingService/GetOnlineFeatures'
const PYTHON = '/GrpcFeatureServer/GetOnlineFeatures'
const run = promisify(execFile)

const closers: (() => unknown)[] = []
const defer = (close: () => unknown): void => void closers.push(close)

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function started(standIn: Promise<StandIn>): Promise<StandIn> {
  const running = await standIn
  defer(() => running.close())
  return running
}

function open(address: string, deadlineMs?: number): Promise<Peer> {
  return openPeer(defer, parsePeers([address])[0]!, deadlineMs)
}

const KINDS = [
  { wire: `gRPC ${SERVING}`, start: () => startGrpcStandIn(SERVING) },
  { wire: `gRPC ${PYTHON}`, start: () => startGrpcStandIn(PYTHON) },
  { wire: 'HTTP/1.1 POST /get-online-features', start: startHttpStandIn },
]

const one = (columns: Column[], feature: number): Column => columns.find(({ name }) => name === `feature_${feature}`)!

/** What is wrong with the answer to items 3 and 4, and what is said of it. */
const WRONG: [string, (columns: Column[]) => Column[] | Buffer, string | RegExp][] = [
  ['a column less', (columns) => columns.filter(({ name }) => name !== 'feature_7'), 'no column feature_7'],
  ['a column more', (columns) => [...columns, { ...one(columns, 1), name: 'extra' }], 'column extra was not asked for'],
  ['a column twice', (columns) => [...columns, one(columns, 1)], 'column feature_1 comes twice'],
  [
    'full names',
    (columns) => columns.map((column) => ({ ...column, name: `view_0__${column.name}` })),
    'column view_0__feature_0 was not asked for',
  ],
  ['another value', changed(7, { values: [12.5, 1] }), /feature_7 of item 3 is 12.5, not \d/],
  ['no value, but PRESENT', changed(7, { values: [1, null] }), /feature_7 of item 4 is null, not \d/],
  ['NOT_FOUND', changed(7, { statuses: ['PRESENT', 'NOT_FOUND'] }), 'feature_7 of item 4 is NOT_FOUND'],
  ['a value too few', changed(7, { values: [1] }), 'column feature_7 has 1 values for 2 items'],
  ['a status too few', changed(7, { statuses: ['PRESENT'] }), 'column feature_7 has 1 statuses for 2 items'],
  [
    'other items',
    (columns) => columns.map((column) => (column.name === 'item' ? { ...column, values: [3, 5] } : column)),
    'item of item 4 is 5, not 4',
  ],
  ['nothing', () => [], 'no column feature_0'],
  ['bytes that are no answer', () => Buffer.from('{"results": 1}'), /asked for 2 x 50 features, \S/],
  [
    'a refusal',
    () => {
      throw new Refusal('the store is asleep')
    },
    /asked for 2 x 50 features, (NOT_FOUND: |HTTP 404: .*)the store is asleep/,
  ],
]

function changed(feature: number, change: Partial<Column>): (columns: Column[]) => Column[] {
  return (columns) => columns.map((column) => (column === one(columns, feature) ? { ...column, ...change } : column))
}

describe.each(KINDS)('$wire', ({ wire, start }) => {
  test('right answers are taken, of one item and of many', async () => {
    const { address } = await started(start())
    const peer = await open(`feast=${address}`)
    expect(peer).toMatchObject({ name: 'feast', wire, target: address.replace(/^\w+:\/\//, '') })
    const items = Array.from({ length: 100 }, (_, index) => index * 7 + 1)
    const small = await peer.check({ items: [12], features: 250 })
    expect((await peer.check({ items, features: 250 })).length).toBeGreaterThan(20 * small.length)
  })

  test.each(WRONG)('%s: is said, with the server and the question', async (_what, change, said) => {
    const standIn = await started(start())
    const peer = await open(standIn.address)
    standIn.tamper(change)
    const error = await peer.check({ items: [3, 4], features: 50 }).catch((failure: Error) => failure)
    expect(error).toBeInstanceOf(Error)
    expect((error as Error).message).toMatch(said)
    expect((error as Error).message).toContain(`--peer ${standIn.address}: asked for 2 x 50 features,`)
  })

  test('a server whose answers are wrong from the start is not opened', async () => {
    const standIn = await started(start())
    standIn.tamper((columns) => columns.slice(0, 40))
    await expect(open(standIn.address)).rejects.toThrow(
      /the answer is wrong:\n {2}no column feature_39\n(.*\n)+ {2}and 6 more/,
    )
  })
})

test('a gRPC server without the method is told by both names', async () => {
  const { address } = await started(startGrpcStandIn('/other.Service/Get'))
  await expect(open(address)).rejects.toThrow(`it knows none of the methods ${SERVING} and ${PYTHON}`)
})

describe.each(['grpc', 'http'])('over %s', (scheme) => {
  test('a server that never answers is given up', async () => {
    const { target } = await silentServer()
    await expect(open(`${scheme}://${target}`, 200)).rejects.toThrow(/DEADLINE_EXCEEDED|due to timeout/)
  })

  test('a server that is not there is told', async () => {
    const { target, server } = await silentServer()
    server.close()
    await once(server, 'close')
    await expect(open(`${scheme}://${target}`)).rejects.toThrow(/ECONNREFUSED/)
  })
})

/** Takes connections and says nothing. */
async function silentServer(): Promise<{ target: string; server: Server }> {
  const server = createServer((socket) => defer(() => socket.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  return { target: `127.0.0.1:${(server.address() as { port: number }).port}`, server }
}

test('addresses: names, schemes and hosts', () => {
  expect(parsePeers(['grpc://127.0.0.1:6565', 'go=grpc://localhost:50051', 'py=http://127.8.9.1:6566/'])).toEqual([
    { name: 'grpc-6565', scheme: 'grpc', target: '127.0.0.1:6565', text: 'grpc://127.0.0.1:6565' },
    { name: 'go', scheme: 'grpc', target: 'localhost:50051', text: 'go=grpc://localhost:50051' },
    { name: 'py', scheme: 'http', target: '127.8.9.1:6566', text: 'py=http://127.8.9.1:6566/' },
  ])
})

test.each([
  [['http://10.0.0.5:6566'], '--peer http://10.0.0.5:6566: 10.0.0.5 is neither in 127.0.0.0/8 nor localhost'],
  [['http://127.0.0.1.example.org:80'], '127.0.0.1.example.org is neither in 127.0.0.0/8 nor localhost'],
  [['http://127.0.0.1@10.0.0.5:80'], '127.0.0.1@10.0.0.5 is neither in 127.0.0.0/8 nor localhost'],
  [['grpc://[::1]:6565'], '[::1] is neither in 127.0.0.0/8 nor localhost'],
  [['127.0.0.1:6565'], 'it must be grpc://host:port or http://host:port'],
  [['https://127.0.0.1:6565'], 'it must be grpc://host:port or http://host:port'],
  [['grpc://127.0.0.1:66000'], 'it must be grpc://host:port or http://host:port'],
  [['fresh=grpc://127.0.0.1:1'], 'the name fresh is taken'],
  [['a=grpc://127.0.0.1:1', 'a=http://127.0.0.1:2'], 'the name a is taken'],
])('%j is refused', (texts, said) => {
  expect(() => parsePeers(texts)).toThrow(said)
})

test.each([
  [['feast-matrix', '--peer', 'grpc://192.0.2.1:6565'], '192.0.2.1 is neither in 127.0.0.0/8 nor localhost'],
  [['startup', '--peer', 'grpc://127.0.0.1:6565'], '--peer is for feast-matrix'],
])('the command refuses %j before anything starts', async (args, said) => {
  await expect(run(process.execPath, [RUN, '--quick', ...args])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(said),
  })
})

test('peers are measured beside Twinstore, over both wires', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-peers-test-'))
  defer(() => rm(dir, { recursive: true }))
  const go = await started(startGrpcStandIn(SERVING))
  const python = await started(startHttpStandIn())
  const out = join(dir, 'figures.json')
  const peers = ['--peer', `go=${go.address}`, '--peer', `python=${python.address}`]
  await run(process.execPath, [RUN, 'feast-matrix', '--quick', '--out', out, ...peers])
  const { figures, scenarios } = JSON.parse(await readFile(out, 'utf8'))
  for (const peer of ['go', 'python']) {
    for (const figure of [
      `100x50.${peer}.p99_ms`,
      `1x250.${peer}.p50_ms_of_twinstore`,
      `1x50.open.${peer}.p50_ms_of_fresh`,
    ]) {
      expect(figures[`feast-matrix.${figure}`], figure).toBeGreaterThan(0)
    }
  }
  expect(scenarios['feast-matrix'].settings.wires).toMatchObject({ go: `gRPC ${SERVING}`, python: KINDS[2]!.wire })
})
