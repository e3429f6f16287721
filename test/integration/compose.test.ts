/**
 * The compose files, as far as they can be held against reality without a container engine: the flags are options with values
 * that the server takes, what they refer to is there, and Redis's flags and the script that makes the Cluster are run.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load-config.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'

interface Service {
  readonly image: string
  readonly command: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: unknown
  readonly networks?: { readonly cluster?: { readonly ipv4_address: string } }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, null>>
}

function composeFile(name: string): Compose {
  return parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'), { merge: true })
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

const single = composeFile('docker-compose.yml')
const cluster = composeFile('docker-compose.cluster.yml')
const redisServices = Object.entries(cluster.services).filter(([name]) => /^redis-\d$/.test(name))
const twinstores = Object.entries(cluster.services).filter(([name]) => name.startsWith('twinstore-'))

const started: RedisProcess[] = []
afterAll(() => Promise.all(started.map((node) => node.dispose())))

test('one instance: its flags are options', () => {
  expect(serveConfig(single.services['twinstore']!)['data-dir']).toBe('/data')
})

test('the pieces are there: six Redis nodes, two instances, an S3 server', () => {
  expect(redisServices).toHaveLength(6)
  expect(twinstores).toHaveLength(2)
  expect(cluster.services['s3']!.image).toMatch(/^minio\/minio:RELEASE/)
})

test('both instances use all nodes and one offline folder, and each has a data folder of its own', () => {
  const addresses = redisServices.map(([, service]) => `${service.networks!.cluster!.ipv4_address}:6379`)
  expect(new Set(addresses).size).toBe(6)
  for (const [, service] of twinstores) {
    const config = serveConfig(service)
    expect(config.online).toBe(`redis+cluster://${addresses.join(',')}`)
    expect(config.offline).toBe('file:/offline')
  }
  const sourceOf = (service: Service, path: string) => service.volumes!.find((volume) => volume.endsWith(`:${path}`))
  const services = twinstores.map(([, service]) => service)
  expect(new Set(services.map((service) => sourceOf(service, '/offline')))).toEqual(new Set(['offline:/offline']))
  expect(new Set(services.map((service) => sourceOf(service, '/data'))).size).toBe(2)
})

test.each([
  ['docker-compose.yml', single],
  ['docker-compose.cluster.yml', cluster],
])('%s refers to services and volumes that it has', (_, { services, volumes }) => {
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
  const [, , script] = cluster.services['redis-create']!.command
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
