/**
 * What goes wrong during a run, one fault at a time: each is begun, kept up for a while and healed; then the cluster must become
 * healthy and every instance must serve every shard before the next one comes.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { hashSlot } from '../redis/hash-slot.mjs'
import type { RedisCluster } from '../redis/redis-cluster.mjs'
import type { RedisProcess } from '../redis/redis-process.mjs'
import { until } from '../redis/until.mjs'
import type { Instance } from './instances.ts'
import type { Recorder } from './recorder.ts'
import type { Workload } from './workload.ts'

const NODE_TIMEOUT_MS = 1500
const HEALED_MS = 60_000
const REFUSED_MS = 30_000
const SHARDS = 16

export interface World {
  readonly instances: readonly Instance[]
  readonly workload: Workload
  readonly recorder: Recorder
  readonly offlineDir: string
  readonly random: () => number
  readonly cluster: RedisCluster
}

/** Begins a fault and heals it. Calls `begin`, with what it is about to do to whom, at the moment before it happens. */
type Inject = (world: World, begin: (detail: string) => void) => Promise<void>

export const INSTANCE_FAULTS: Readonly<Record<string, Inject>> = {
  'an instance is killed (SIGKILL) and started again': async ({ instances, random }, begin) => {
    const instance = oneOf(instances, random)
    begin(instance.life.name)
    await instance.kill()
    await pause(1500 * random())
    await instance.start()
  },

  'an instance is stopped (SIGTERM) and started again': async ({ instances, random }, begin) => {
    const instance = oneOf(instances, random)
    begin(instance.life.name)
    const exitCode = await instance.stop()
    if (exitCode !== 0) throw new Error(`${instance.name} ended with ${exitCode}:\n${instance.stderr()}`)
    await instance.start()
  },

  'the offline store is away for 2 s': async ({ offlineDir }, begin) => {
    begin(offlineDir)
    await withoutOffline(offlineDir, () => pause(2000))
  },

  'the offline store is away until the outbox is full': async ({ offlineDir, recorder }, begin) => {
    const isRefused = () => recorder.operations.slice(before).some(({ code }) => code === 'RESOURCE_EXHAUSTED')
    begin(offlineDir)
    const before = recorder.operations.length
    await withoutOffline(offlineDir, async () => {
      await until('a write refused because the outbox is full', REFUSED_MS, isRefused)
      await pause(1000)
    })
  },
}

export const CLUSTER_FAULTS: Readonly<Record<string, Inject>> = {
  'a primary is killed, its replica takes over, the node comes back': async ({ cluster, random }, begin) => {
    const slot = anySlot(random)
    const primary = await cluster.primaryOf(slot)
    begin(`port ${primary.port}`)
    await primary.kill()
    await until('a new primary', HEALED_MS, async () => (await cluster.primaryOf(slot)) !== primary)
    await pause(500 * random())
    await primary.restart()
  },

  'a primary is killed and comes back at once': async ({ cluster, random }, begin) => {
    const primary = await cluster.primaryOf(anySlot(random))
    begin(`port ${primary.port}`)
    await primary.kill()
    await primary.restart()
  },

  'a primary hangs (SIGSTOP) for longer than the node timeout': async ({ cluster, random }, begin) => {
    const primary = await cluster.primaryOf(anySlot(random))
    begin(`port ${primary.port}`)
    await hang(primary, NODE_TIMEOUT_MS * (2 + random()))
  },

  'a primary hangs (SIGSTOP) for less than the node timeout': async ({ cluster, random }, begin) => {
    const primary = await cluster.primaryOf(anySlot(random))
    begin(`port ${primary.port}`)
    await hang(primary, NODE_TIMEOUT_MS * 0.9 * random())
  },

  'a replica hangs (SIGSTOP) for longer than the node timeout': async ({ cluster, random }, begin) => {
    const [replica] = await cluster.replicasOf(anySlot(random))
    begin(`port ${replica!.port}`)
    await hang(replica!, NODE_TIMEOUT_MS * (2 + random()))
  },

  'tracking connections are cut (CLIENT KILL)': async ({ cluster, random }, begin) => {
    const primary = await cluster.primaryOf(anySlot(random))
    begin(`port ${primary.port}`)
    const ids = trackingIds(await primary.command('CLIENT', 'LIST'))
    if (ids.length === 0) throw new Error(`no client of port ${primary.port} tracks keys: there is nothing to cut`)
    // One that ended by itself meanwhile is as good as cut.
    await Promise.allSettled(ids.map((id) => primary.command('CLIENT', 'KILL', 'ID', id)))
  },

  'a planned failover (CLUSTER FAILOVER)': async ({ cluster, random }, begin) => {
    const [replica] = await cluster.replicasOf(anySlot(random))
    begin(`to port ${replica!.port}`)
    await cluster.failover(replica!.port)
  },

  'a slot moves to another primary': async ({ cluster, random }, begin) => {
    const slot = anySlot(random)
    const from = await cluster.primaryOf(slot)
    const primaries = (await cluster.roles()).filter((role) => role.role === 'primary' && role.port !== from.port)
    const to = oneOf(primaries, random).port
    begin(`slot ${slot} from port ${from.port} to ${to}`)
    await cluster.moveSlot(slot, to)
  },
}

/** Injects the fault and takes it down; resolves when all is well again. */
export async function inject(kind: string, fault: Inject, world: World): Promise<void> {
  let began: { readonly detail: string; readonly beganMs: number } | undefined
  try {
    await fault(world, (detail) => {
      began = { detail, beganMs: performance.now() }
    })
    await world.cluster.waitHealthy(HEALED_MS)
    await until(`every instance serves every shard, after: ${kind}`, HEALED_MS, () => world.workload.serves())
  } finally {
    if (began !== undefined) {
      const fault = { kind, ...began, endedMs: performance.now() }
      world.recorder.faults.push(fault)
      const seconds = ((fault.endedMs - fault.beganMs) / 1000).toFixed(1)
      console.log(`${fault.beganMs.toFixed(0)} ms: ${kind}: ${fault.detail}; all well after ${seconds} s`)
    }
  }
}

/** A file in the place of the folder: what no user's rights get around, and no server can put its own folder in. */
async function withoutOffline(folder: string, meanwhile: () => Promise<void>): Promise<void> {
  renameSync(folder, `${folder}-away`)
  writeFileSync(folder, '')
  try {
    await meanwhile()
  } finally {
    rmSync(folder)
    renameSync(`${folder}-away`, folder)
  }
}

async function hang(node: RedisProcess, forMs: number): Promise<void> {
  node.pause()
  await pause(forMs)
  node.resume()
}

/** `t`: tracks keys; `P`: waits for messages, invalidations among them. */
function trackingIds(clients: string): string[] {
  const lines = clients.split('\n').filter((line) => / flags=\S*[tP]/.test(line))
  return lines.map((line) => /^id=(\d+)/.exec(line)![1]!)
}

/** The slot of a shard that has rows. */
function anySlot(random: () => number): number {
  return hashSlot(`{default:${Math.floor(random() * SHARDS)}}`)
}

function oneOf<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)]!
}
