/** What an operator and a client are told when Redis is not as it should be: real servers, the real command. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, TwinstoreError } from '../../src/client/index.ts'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const LEDGER = new URL('../fixtures/ledger', import.meta.url).pathname

let dir: string
let redis: RedisProcess
let locked: RedisProcess
let cluster: RedisCluster
const started: ServerProcess[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-redis-start-'))
  redis = await startRedis()
  locked = await startRedis({ password: 'open sesame' })
  cluster = await startCluster({ replicas: 0 })
})
afterAll(async () => {
  for (const server of started) await server.kill()
  await Promise.all([redis, locked, cluster].map((running) => running?.dispose()))
  rmSync(dir, { recursive: true, force: true })
})

let count = 0
/** A server with folders of its own; `online` as an operator gives it. */
async function serve(online: string, ...flags: readonly string[]): Promise<ServerProcess> {
  const server = await startServerProcess({
    dataDir: join(dir, `data-${++count}`),
    definitions: LEDGER,
    flags: ['--online', online, ...flags],
  })
  started.push(server)
  return server
}

async function refusal(online: string, ...flags: readonly string[]): Promise<string> {
  return await serve(online, ...flags).then(
    () => 'the server started',
    (error: Error) => error.message,
  )
}

test('a wrong password, and none where one is needed', async () => {
  const address = `127.0.0.1:${locked.port}`
  const wrong = await refusal(`redis://:wrong@${address}`)
  expect(wrong).toMatch(/\(4\)[\s\S]*password/)
  expect(wrong).toContain('redis-password')
  expect(wrong, 'the password is not shown').not.toContain('wrong@')
  expect(await refusal(`redis://${address}`)).toMatch(/\(4\)[\s\S]*redis-password/)
  const server = await serve(`redis://${address}`, '--redis-password', 'open sesame')
  expect(await server.stop()).toBe(0)
})

test('a server that is no Cluster, and a node of a Cluster given as a server', async () => {
  expect(await refusal(`redis+cluster://127.0.0.1:${redis.port}`)).toMatch(/\(4\)[\s\S]*redis:\/\//)
  expect(await refusal(`redis://127.0.0.1:${cluster.nodes[0]!.port}`)).toMatch(/\(4\)[\s\S]*redis\+cluster:\/\//)
})

test('another number of shards than the store was created with', async () => {
  const online = `redis://127.0.0.1:${redis.port}/1`
  expect(await (await serve(online, '--shard-count', '4')).stop()).toBe(0)
  expect(await refusal(online, '--shard-count', '8')).toMatch(/\(4\)[\s\S]*created with 4 shards[\s\S]*shard-count/)
})

test('a Redis that is too old', async () => {
  const old = await oldRedis()
  try {
    const { port } = old.address() as { port: number }
    expect(await refusal(`redis://127.0.0.1:${port}`)).toMatch(/\(4\)[\s\S]*6\.0\.16[\s\S]*6\.2/)
  } finally {
    old.close()
  }
})

test('a replica, which takes no writes', async () => {
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', redis.port] })
  try {
    await until('the replica follows', 10_000, async () =>
      (await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    )
    const told = await refusal(`redis://127.0.0.1:${replica.port}`)
    expect(told).toMatch(/\(4\)[\s\S]*replica/)
    expect(told, 'it names the primary').toContain(String(redis.port))
  } finally {
    await replica.dispose()
  }
})

test('a Redis that may throw rows away', async () => {
  const evicting = await startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
  try {
    expect(await refusal(`redis://127.0.0.1:${evicting.port}`)).toMatch(/\(4\)[\s\S]*allkeys-lru[\s\S]*noeviction/)
  } finally {
    await evicting.dispose()
  }
})

test('nobody there', async () => {
  expect(await refusal('redis://127.0.0.1:1')).toMatch(/\(5\)[\s\S]*127\.0\.0\.1:1\b/)
})

test('a Redis without memory refuses writes by name; reads, archiving and starts go on; with room again writes do too', async () => {
  const flags = ['--offline', `file:${join(dir, 'no-memory')}`]
  const server = await serve(`redis://127.0.0.1:${redis.port}/2`, ...flags)
  const client = connect(server.address, { attemptsMax: 1 })
  const write = (attempt: bigint) =>
    client.writeFeatures('ledger', [{ account: 1n, attempt, amount: 1, event_timestamp: attempt * 1_000_000n }])
  try {
    await write(1n)
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    const refused = await write(2n).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(TwinstoreError)
    expect(refused).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('maxmemory') })
    const read = await client.getFeatures({ service: 'balances', entities: [{ account: 1n }], consistency: 'FRESH' })
    expect(read.rows[0]!.values['ledger__attempt']).toBe(1n)
    const again = await serve(`redis://127.0.0.1:${redis.port}/2`, ...flags)
    expect(await again.stop()).toBe(0)
    await until('the outbox to be archived', 20_000, async () => Number((await client.status()).outbox.rows) === 0)
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await write(3n)
  } finally {
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    client.close()
  }
})

test('a Redis that was emptied behind the servers refuses writes; a restart brings the rows back from the history', async () => {
  const online = `redis://127.0.0.1:${redis.port}/3`
  const flags = ['--offline', `file:${join(dir, 'emptied')}`]
  const server = await serve(online, ...flags)
  const client = connect(server.address, { attemptsMax: 1 })
  const row = { account: 7n, attempt: 1n, amount: 1, event_timestamp: 1_000_000n }
  await client.writeFeatures('ledger', [row], { ack: 'BOTH' })
  await redis.command('FLUSHALL')
  const refused = await client.writeFeatures('ledger', [{ ...row, attempt: 2n }]).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('restart') })
  client.close()
  await server.kill()

  const again = await serve(online, ...flags)
  const reader = connect(again.address)
  await until('the row is back', 20_000, async () => {
    const { rows } = await reader.getFeatures({
      service: 'balances',
      entities: [{ account: 7n }],
      consistency: 'FRESH',
    })
    return rows[0]!.values['ledger__attempt'] === 1n
  })
  reader.close()
})

/** Speaks just enough of the protocol to say that it is of a version before tracking by prefixes was settled. */
function oldRedis(): Promise<Server> {
  const info = '# Server\r\nredis_version:6.0.16\r\nredis_mode:standalone\r\n# Cluster\r\ncluster_enabled:0\r\n'
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes) => {
      for (const command of bytes.toString().match(/\r\n(PING|ping|INFO|info)\r\n/g) ?? []) {
        const isPing = /ping/i.test(command)
        socket.write(isPing ? '+PONG\r\n' : `$${info.length}\r\n${info}\r\n`)
      }
    })
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
