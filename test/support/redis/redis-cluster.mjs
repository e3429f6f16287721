/**
 * A real Redis Cluster on loopback, and what can happen to one: nodes die and come back, a replica takes over, a slot moves.
 *
 * Who is primary is asked of every node that answers: each is believed about itself alone, and of two that claim a slot the one
 * with the greater configuration epoch holds it. One node's view of the others lags behind by gossip.
 */
import { join } from 'node:path'
import { holds, layoutText, viewOf } from './cluster-view.mjs'
import { hashSlot } from './hash-slot.mjs'
import { startRedis } from './redis-process.mjs'
import { moveSlotInSteps } from './slot-move.mjs'
import { until } from './until.mjs'

const SLOTS = 16_384
const CREATE_MS = 30_000
const ROLE_MS = 20_000
const FAILOVER_MS = 6000
const FAILOVER_ATTEMPTS_MAX = 3

export async function startCluster(options = {}) {
  const { primaries = 3, replicas = 1, basePort, detached = false } = options
  const args = nodeArgs(options)
  const started = await Promise.allSettled(
    Array.from({ length: primaries * (1 + replicas) }, (_, i) =>
      startRedis({
        ...(basePort === undefined ? {} : { port: basePort + i }),
        ...(options.dir === undefined ? {} : { dir: join(options.dir, `node-${i}`) }),
        args,
        detached,
      }),
    ),
  )
  const nodes = started.filter((result) => result.status === 'fulfilled').map((result) => result.value)
  const cluster = new RedisCluster(nodes, replicas)
  try {
    const failed = started.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
    if (await isNew(nodes)) await create(nodes, primaries)
    await cluster.waitHealthy(CREATE_MS)
    return cluster
  } catch (error) {
    await cluster.dispose()
    throw error
  }
}

function nodeArgs({ nodeTimeoutMs = 1500, args = [] }) {
  return [
    ['--cluster-enabled', 'yes'],
    ['--cluster-node-timeout', nodeTimeoutMs],
    ['--appendonly', 'yes'],
    ['--appendfsync', 'everysec'],
    // A replica may take over however long it was cut off: tests kill primaries right after pauses.
    ['--cluster-replica-validity-factor', 0],
    ['--cluster-require-full-coverage', 'no'],
    ['--repl-diskless-sync-delay', 0],
    args,
  ].flat()
}

class RedisCluster {
  #replicas

  constructor(nodes, replicas) {
    this.nodes = nodes
    this.url = `redis+cluster://${nodes.map((node) => `127.0.0.1:${node.port}`).join(',')}`
    this.#replicas = replicas
  }

  async primaryOf(slotOrKey) {
    return (await this.#holderOf(slotOrKey)).node
  }

  async replicasOf(slotOrKey) {
    const primary = await this.#holderOf(slotOrKey)
    const views = await this.#views()
    return views.filter((view) => view.self.primaryId === primary.self.id).map((view) => view.node)
  }

  async roles() {
    const views = await this.#views()
    const portOf = new Map(views.flatMap((view) => view.rows).map((row) => [row.id, row.port]))
    return views.map(({ node, self }) => ({
      port: node.port,
      id: self.id,
      role: self.primaryId === undefined ? 'primary' : 'replica',
      primaryPort: self.primaryId === undefined ? undefined : portOf.get(self.primaryId),
      slots: self.slots,
    }))
  }

  waitHealthy(timeoutMs = ROLE_MS) {
    return until('a healthy Redis Cluster', timeoutMs, async () => {
      const fault = await this.#fault()
      if (fault) throw new Error(fault)
      return true
    })
  }

  async failover(port, mode) {
    const node = this.#nodeAt(port)
    const command = ['CLUSTER', 'FAILOVER', ...(mode === undefined ? [] : [mode])]
    for (let attempt = 1; ; attempt++) {
      await node.command(...command)
      try {
        await until(`port ${port} as primary, agreed on by all`, FAILOVER_MS, () => this.#isAgreedPrimary(node))
        return
      } catch (error) {
        // Redis gives a manual failover up after 5 s without a word when its primary did not take it for a replica yet.
        if (attempt === FAILOVER_ATTEMPTS_MAX) throw error
      }
    }
  }

  async moveSlot(slot, toPort) {
    for await (const _ of this.moveSlotInSteps(slot, toPort)) {
      // Each step is done when the next is asked for.
    }
  }

  async *moveSlotInSteps(slot, toPort, keysPerStep = 100) {
    const from = await this.#holderOf(slot)
    const to = await viewOf(this.#nodeAt(toPort))
    const views = await this.#views()
    const others = views.filter((view) => view.self.primaryId === undefined).map((view) => view.node)
    yield* moveSlotInSteps(slot, from, to, others, keysPerStep)
  }

  async dispose() {
    await Promise.all(this.nodes.map((node) => node.dispose()))
  }

  async #views() {
    return (await Promise.all(this.nodes.map(viewOf))).filter((view) => view !== null)
  }

  #holderOf(slotOrKey) {
    const slot = typeof slotOrKey === 'number' ? slotOrKey : hashSlot(slotOrKey)
    return until(`a node that holds slot ${slot}`, ROLE_MS, async () =>
      (await this.#views())
        .filter((view) => view.self.primaryId === undefined && holds(view.self, slot))
        .sort((a, b) => b.self.epoch - a.self.epoch)
        .at(0),
    )
  }

  async #isAgreedPrimary(node) {
    const views = await this.#views()
    const own = views.find((view) => view.node === node)
    if (own === undefined || own.self.primaryId !== undefined || own.self.slots.length === 0) return false
    return views.every((view) => layoutText(view) === layoutText(own))
  }

  #nodeAt(port) {
    const node = this.nodes.find((each) => each.port === port)
    if (node === undefined) throw new Error(`no node of this cluster has port ${port}`)
    return node
  }

  /** What is missing to health; undefined when nothing is. */
  async #fault() {
    const views = await this.#views()
    const silent = this.nodes.find((node) => node.state === 'running' && !views.some((view) => view.node === node))
    if (silent) return `port ${silent.port} does not answer`
    if (views.length === 0) return 'no node runs'
    const layouts = new Set(views.map(layoutText))
    if (layouts.size > 1) return `nodes disagree on who holds what: ${[...layouts].join(' | ')}`
    for (const { node, self } of views) {
      const info = await node.command('CLUSTER', 'INFO')
      if (!info.includes('cluster_state:ok')) return `port ${node.port} says cluster_state is not ok`
      if (!info.includes(`cluster_slots_ok:${SLOTS}`)) return `port ${node.port} sees slots without a primary`
      if (self.primaryId === undefined) continue
      if (!(await node.command('INFO', 'replication')).includes('master_link_status:up')) {
        return `the replica on port ${node.port} has no link to its primary`
      }
    }
    if (this.#replicas === 0) return undefined
    const bare = views.find(
      ({ self }) => self.slots.length > 0 && !views.some((view) => view.self.primaryId === self.id),
    )
    return bare && `the primary on port ${bare.node.port} has no replica`
  }
}

/** Whether these nodes know only themselves, not a Cluster of earlier days in the same folders. */
async function isNew(nodes) {
  const views = await Promise.all(nodes.map(viewOf))
  return views.every((view) => view?.rows.length === 1)
}

async function create(nodes, primaries) {
  // Different epochs from the start: otherwise nodes settle them one after the other once they have met.
  await Promise.all(nodes.map((node, i) => node.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)))
  await Promise.all(
    nodes.slice(0, primaries).map((node, i) => {
      const first = Math.ceil((SLOTS * i) / primaries)
      const end = Math.ceil((SLOTS * (i + 1)) / primaries)
      return node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: end - first }, (_, k) => first + k))
    }),
  )
  // Everyone to everyone: gossip alone takes seconds longer.
  await Promise.all(
    nodes.flatMap((node, i) =>
      nodes.slice(0, i).map((other) => node.command('CLUSTER', 'MEET', '127.0.0.1', other.port)),
    ),
  )
  await Promise.all(nodes.slice(primaries).map((node, i) => replicate(node, nodes[i % primaries])))
}

async function replicate(replica, primary) {
  const id = await primary.command('CLUSTER', 'MYID')
  await until(`port ${replica.port} as replica of ${primary.port}`, CREATE_MS, () =>
    replica.command('CLUSTER', 'REPLICATE', id),
  )
}
