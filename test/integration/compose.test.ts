/**
 * The compose file, as far as it can be held against reality without a container engine: the flags are options with values that
 * the server takes, what they refer to is there, and Redis's flags and the script that makes the Cluster are run.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load-config.ts'
import { s3Location } from '../../src/config/s3-location.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'

interface Service {
  readonly image: string
  readonly command: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly entrypoint?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: unknown
  readonly networks?: { readonly cluster?: { readonly ipv4_address: string } }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, null>>
}

/** The server's flags, read as the server reads them: throws at an unknown one or at a value out of range. */
function serveConfig(service: Service) {
  const [, text] = service.command.at(-1)!.split(' dist/cli/main.js serve ')
  const words = text!.trim().split(/\s+/)
  const flags: Record<string, string> = {}
  for (let i = 0; i < words.length; i += 2) {
    expect(words[i]).toMatch(/^--/)
    flags[words[i]!.slice(2)] = words[i + 1]!
  }
  return loadConfig({ flags, environment: {} })
}

const compose: Compose = parse(readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8'), {
  merge: true,
})
const { services, volumes } = compose
const redisServices = Object.entries(services).filter(([name]) => /^redis-\d$/.test(name))
const twinstores = Object.entries(services).filter(([name]) => name.startsWith('twinstore-'))

const started: RedisProcess[] = []
afterAll(() => Promise.all(started.map((node) => node.dispose())))

test('one instance on embedded stores, only when asked for by its name', () => {
  const { single } = services
  expect(serveConfig(single!)).toMatchObject({ 'data-dir': '/data', online: '', offline: '' })
  expect(single!.profiles).toEqual(['single'])
  expect(Object.values(services).filter(({ profiles }) => profiles !== undefined)).toEqual([single])
})

test('the pieces are there: six Redis nodes, two instances, an S3 server', () => {
  expect(redisServices).toHaveLength(6)
  expect(twinstores).toHaveLength(2)
  expect(services['s3']!.image).toMatch(/^minio\/minio:RELEASE/)
})

test('both instances use all nodes and one bucket, and each has a data folder and a port of its own', () => {
  const addresses = redisServices.map(([, service]) => `${service.networks!.cluster!.ipv4_address}:6379`)
  expect(new Set(addresses).size).toBe(6)
  for (const [, service] of twinstores) {
    const config = serveConfig(service)
    expect(config.online).toBe(`redis+cluster://${addresses.join(',')}`)
    expect(s3Location(config)).toEqual({
      bucket: 'twinstore',
      prefix: 'offline/',
      endpoint: 'http://s3:9000',
      region: 'us-east-1',
      pathStyle: true,
    })
  }
  const sourceOf = (service: Service, path: string) => service.volumes!.find((volume) => volume.endsWith(`:${path}`))
  expect(new Set(twinstores.map(([, service]) => sourceOf(service, '/data'))).size).toBe(2)
  expect(new Set(twinstores.flatMap(([, { ports }]) => ports!)).size).toBe(2)
})

test('the instances have the keys of the S3 server, and begin when the bucket is made', () => {
  const server = services['s3']!.environment!
  const keys = {
    AWS_ACCESS_KEY_ID: server['MINIO_ROOT_USER'],
    AWS_SECRET_ACCESS_KEY: server['MINIO_ROOT_PASSWORD'],
  }
  const maker = services['s3-bucket']!
  for (const service of [maker, ...twinstores.map(([, each]) => each)]) expect(service.environment).toEqual(keys)
  expect(maker.entrypoint!.at(-1)).toMatch(/http:\/\/s3:9000 .* mc mb --ignore-existing s3\/twinstore$/)
  expect(services['twinstore-a']!.depends_on).toMatchObject({
    's3-bucket': { condition: 'service_completed_successfully' },
  })
})

test('it refers to services and volumes that it has', () => {
  const named = Object.values(services).flatMap((service) => service.volumes ?? [])
  const sources = named.map((volume) => volume.split(':')[0]!).filter((source) => source !== '.')
  expect(new Set(sources)).toEqual(new Set(Object.keys(volumes)))
  for (const { depends_on = {} } of Object.values(services)) {
    for (const [name, { condition }] of Object.entries(depends_on)) {
      expect(Object.keys(services)).toContain(name)
      if (condition === 'service_healthy') expect(services[name]!.healthcheck).toBeDefined()
    }
  }
})

test('its Redis nodes start, and its script makes them a Cluster, once', async () => {
  for (const [, { command }] of redisServices) started.push(await startRedis({ args: command.slice(1) }))
  const [, , script] = services['redis-create']!.command
  const local = script!.replaceAll(/172\.28\.7\.1(\d):6379/g, (_, i) => `127.0.0.1:${started[Number(i)]!.port}`)
  const create = async () => {
    const child = spawn('sh', ['-c', local], { stdio: ['ignore', 'ignore', 'inherit'] })
    expect(await once(child, 'exit')).toEqual([0, null])
  }
  await create()
  const info = () => started[0]!.command('CLUSTER', 'INFO')
  const nodes = () => started[0]!.command('CLUSTER', 'NODES')
  await until('three replicas', 10_000, async () => (await nodes()).match(/ slave /g)?.length === 3)
  const epoch = /cluster_current_epoch:\d+/
  const created = epoch.exec(await info())![0]
  await create()
  expect(epoch.exec(await info())![0]).toBe(created)
  expect(await info()).toContain('cluster_slots_ok:16384')
})
