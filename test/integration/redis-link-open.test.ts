/** What keeps a link from opening, and what is said about it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LinkOptions, RedisLocation } from '../../src/online/redis/connect/link-options.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { freePort } from '../support/redis/free-port.mjs'
import { hostileRedis } from '../support/redis/hostile-redis.ts'
import { startCluster } from '../support/redis/redis-cluster.mjs'
import type { RedisOptions, RedisProcess } from '../support/redis/redis-process.d.mts'
import { startRedis } from '../support/redis/redis-process.mjs'
import { at, get, linkTo, READ, set, text, WRITE } from './redis-link-fixture.ts'

let dir: string
const cleanups: (() => unknown)[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-redis-link-'))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  rmSync(dir, { recursive: true })
})

async function redisWith(options: RedisOptions): Promise<RedisProcess> {
  const redis = await startRedis(options)
  cleanups.push(() => redis.dispose())
  return redis
}

async function refusal(location: RedisLocation, options: Partial<LinkOptions> = {}): Promise<string> {
  const error = await linkTo(location, options).then(
    async (link) => {
      await link.close()
      throw new Error('it opened')
    },
    (error) => error,
  )
  return `${error.code} ${error.message}`
}

test('a password that is missing, wrong or superfluous, and a user without rights', async () => {
  const redis = await redisWith({ password: 'right' })
  const node = `FAILED_PRECONDITION 127.0.0.1:${redis.port}:`
  expect(await refusal(at([redis]))).toBe(
    `${node} it asks for a password; set TWINSTORE_REDIS_PASSWORD (option redis-password)`,
  )
  const wrong = await refusal({ ...at([redis]), password: 'wrong-one' })
  expect(wrong).toBe(`${node} it refuses user or password; check redis-username and redis-password`)
  await redis.command('ACL', 'SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-client')
  expect(await refusal({ ...at([redis]), username: 'poor', password: 'pw' })).toContain(
    `${node} the user lacks a right (NOPERM this user has no permissions to run the 'client`,
  )
  const link = await linkTo({ ...at([redis]), password: 'right' })
  await link.close()
  const open = await redisWith({})
  expect(await refusal({ ...at([open]), password: 'pw' })).toContain('it asks for no password, yet one is given')
})

test('a replica, a policy that evicts, a database that is not there', async () => {
  const redis = await redisWith({})
  const replica = await redisWith({ args: ['--replicaof', '127.0.0.1', redis.port] })
  expect(await refusal(at([replica]))).toContain(`takes no writes; give its primary, 127.0.0.1:${redis.port}`)
  expect(await refusal({ ...at([redis]), database: 99 })).toContain('it has no such database')
  const link = await linkTo({ ...at([redis]), database: 3 })
  await link.send('t:1', set('{t:1}a', 'three'), WRITE)
  await link.close()
  expect(await redis.command('DBSIZE')).toBe('0')
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  expect(await refusal(at([redis]))).toContain('maxmemory-policy is allkeys-lru, which drops rows')
})

test('a Cluster that is none, a member of one, a silence as long as its timeout, slots that nobody holds', async () => {
  const redis = await redisWith({})
  expect(await refusal(at([redis], 'cluster'))).toContain('it is not a Redis Cluster (cluster-enabled is no)')
  expect(await refusal({ ...at([redis], 'cluster'), database: 1 })).toContain('has only database 0')
  const cluster = await startCluster({ replicas: 0, nodeTimeoutMs: 1000 })
  cleanups.push(() => cluster.dispose())
  expect(await refusal(at(cluster.nodes.slice(0, 1)))).toContain(
    'it belongs to a Redis Cluster; give --online redis+cluster:',
  )
  expect(await refusal(at(cluster.nodes, 'cluster'))).toContain(
    'redis-silence-max (1000 ms) must be below cluster-node-timeout (1000 ms)',
  )
  // Each for itself: nodes tell each other what they hold, not what they do not.
  for (const node of cluster.nodes) await node.command('CLUSTER', 'DELSLOTS', 0, 1, 2)
  await expect.poll(() => refusal(at(cluster.nodes, 'cluster'), { silenceMaxMs: 500 })).toContain('3 of 16384 slots')
}, 120_000)

test('nobody there, a server that hangs, one that is too old, one that talks nonsense', async () => {
  const port = await freePort()
  expect(await refusal(at([{ port }]))).toMatch(new RegExp(`^UNAVAILABLE redis://127.0.0.1:${port}: .*ECONNREFUSED`))
  expect(await refusal(at([{ port }, { port }], 'cluster'))).toContain('ECONNREFUSED')
  const hanging = await hostileRedis(() => undefined)
  expect(await refusal(at([hanging]), { connectTimeoutMs: 200 })).toContain(
    'did not answer within 200 ms (redis-connect-timeout)',
  )
  const mute = await hostileRedis((socket, request) => !request.includes('INFO') && socket.write('+PONG\r\n'))
  expect(await refusal(at([mute]), { connectTimeoutMs: 200 })).toContain('did not say within 200 ms what it is')
  const old = await hostileRedis((socket, request) =>
    socket.write(request.includes('INFO') ? bulk('redis_version:6.0.16\r\n') : '+PONG\r\n'),
  )
  expect(await refusal(at([old]))).toContain('Redis 6.0.16 is too old; version 6.2 or newer is needed')
  const nonsense = await hostileRedis((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  expect(await refusal(at([nonsense]))).toMatch(/^UNAVAILABLE/)
  const rude = await hostileRedis((socket) => socket.destroy())
  expect(await refusal(at([rude]))).toMatch(/^UNAVAILABLE/)
})

test('TLS, with the certificate checked', async () => {
  const certificates = new CertificateFolder()
  cleanups.push(() => certificates.remove())
  certificates.issue('redis')
  const [cert, key, ca] = ['redis.pem', 'redis.key', 'ca.pem'].map((name) => certificates.file(name)) as [
    string,
    string,
    string,
  ]
  const tlsPort = await freePort()
  const tls = ['--tls-port', tlsPort, '--tls-cert-file', cert, '--tls-key-file', key]
  const redis = await redisWith({ args: [...tls, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'] })
  const location = { ...at([{ port: tlsPort }]), tls: true }
  const link = await linkTo({ ...location, tlsCaFile: ca })
  expect(link.location).toBe(`rediss://127.0.0.1:${tlsPort}`)
  await link.send('t:1', set('{t:1}a', 'secret'), WRITE)
  expect(text(await link.send('t:1', get('{t:1}a'), READ))).toBe('secret')
  await link.close()
  expect(await refusal(location)).toMatch(/^UNAVAILABLE .*certificate/)
  expect(await refusal({ ...location, tlsCaFile: join(dir, 'none') })).toContain(
    'FAILED_PRECONDITION redis-tls-ca: ENOENT',
  )
  expect(await refusal({ ...at([redis]), tls: true })).toMatch(/^UNAVAILABLE/)
  expect(await refusal(at([{ port: tlsPort }]))).toMatch(/^UNAVAILABLE/)
})

function bulk(body: string): string {
  return `$${Buffer.byteLength(body)}\r\n${body}\r\n`
}
