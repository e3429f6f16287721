/**
 * The topology of a Cluster, kept up to date by asking every connected node for its view.
 *
 * All are asked each `topologyIntervalMs`, every heartbeat while a primary is away, and at once when a node is lost, a
 * redirection comes, or a node needs others to vouch for it; at most every tenth of a heartbeat. Each answer counts as it arrives: a node that hangs delays nothing.
 */
import type { RedisReply } from '../redis-link.ts'
import {
  type ClusterMap,
  type ClusterView,
  chooseMap,
  isVouchedFor,
  parseClusterNodes,
  type SlotHolder,
  viewSignature,
} from './cluster-view.ts'
import type { Heartbeat } from './heartbeat.ts'
import { addressName, type LinkOptions, type RedisAddress } from './link-options.ts'
import type { Members } from './members.ts'
import type { NodeHooks, RedisNode } from './node.ts'
import { pauseFor } from './pauses.ts'
import type { Topology } from './topology.ts'

export interface ClusterTopologyOptions {
  readonly link: LinkOptions
  readonly heartbeat: Heartbeat
  readonly members: Members
  /** A shard is held by another node than before. */
  readonly onMoved: () => void
  /** Asks the nodes of the location for their view, when no node of the topology is connected. */
  readonly findAgain: () => Promise<ClusterView>
}

export const CLUSTER_NODES = { name: 'CLUSTER', args: ['NODES'] } as const

export function viewOf(asked: RedisAddress, reply: RedisReply, sentAtMs: number, tls: boolean): ClusterView {
  const nodes = parseClusterNodes(String(reply), asked, tls)
  return { informant: nodes.find((node) => node.myself)?.name ?? addressName(asked), sentAtMs, nodes }
}

export class ClusterTopology implements Topology {
  readonly #options: ClusterTopologyOptions
  readonly #views = new Map<string, ClusterView>()
  readonly #signatures = new Map<string, string>()
  readonly #asking = new Set<RedisNode>()
  readonly #hooks: NodeHooks
  readonly #gapMs: number
  #holders: (SlotHolder | undefined)[] = []
  /** The primaries among the holders. Kept, because every heartbeat asks for them and there are 16384 slots to look at. */
  #owners: ReadonlySet<string> = new Set()
  #askedAtMs = Number.NEGATIVE_INFINITY
  #isRefreshDue = false
  #isSeeking = false
  #closed = false

  constructor(first: ClusterView, options: ClusterTopologyOptions) {
    this.#options = options
    this.#gapMs = options.link.heartbeatMs / 10
    this.#hooks = {
      vouch: (node, sinceMs, isWanted) => this.#vouch(node, sinceMs, isWanted),
      lost: () => this.refreshSoon(),
    }
    this.#take(first)
    options.heartbeat.each((nowMs) => this.#beat(nowMs))
  }

  holder(slot: number): SlotHolder | undefined {
    return this.#holders[slot]
  }

  node(name: string): RedisNode | undefined {
    return this.#options.members.nodes.get(name)
  }

  nodeAt(address: RedisAddress): RedisNode {
    return this.#options.members.add(address, this.#hooks)
  }

  primaries(): RedisNode[] {
    return [...this.#owners].flatMap((name) => this.node(name) ?? [])
  }

  uncoveredSlots(): number {
    return this.#holders.filter((holder) => holder === undefined).length
  }

  learn(slot: number, address: RedisAddress): void {
    const node = this.nodeAt(address)
    if (this.#holders[slot]?.primary !== node.name) {
      this.#holders[slot] = { primary: node.name, replicas: [] }
      this.#track()
      this.#options.onMoved()
    }
    this.refreshSoon()
  }

  refreshSoon(): void {
    if (this.#isRefreshDue || this.#closed) return
    this.#isRefreshDue = true
    const { clock } = this.#options.link
    clock.after(Math.max(0, this.#askedAtMs + this.#gapMs - clock.monotonicMs()), () => this.#askAll())
  }

  close(): void {
    this.#closed = true
    this.#options.members.close()
  }

  #beat(nowMs: number): void {
    const nodes = [...this.#options.members.nodes.values()]
    if (!nodes.some((node) => node.isConnected)) {
      void this.#findAgain()
      return
    }
    // A primary that is away may have a successor any moment now.
    const isHurried = this.primaries().some((node) => !node.isUp)
    if (isHurried || nowMs - this.#askedAtMs >= this.#options.link.topologyIntervalMs) this.#askAll()
  }

  #askAll(): void {
    this.#isRefreshDue = false
    if (this.#closed) return
    this.#askedAtMs = this.#options.link.clock.monotonicMs()
    for (const node of this.#options.members.nodes.values()) void this.#ask(node)
  }

  async #ask(node: RedisNode): Promise<void> {
    if (this.#asking.has(node) || !node.isConnected) return
    this.#asking.add(node)
    const sentAtMs = this.#options.link.clock.monotonicMs()
    try {
      const reply = await node.ask(CLUSTER_NODES)
      if (!this.#closed) this.#take(viewOf(node.address, reply, sentAtMs, this.#options.link.location.tls))
    } catch {
      // Its connection is gone, which the node itself reports.
    } finally {
      this.#asking.delete(node)
    }
  }

  #take(view: ClusterView): void {
    this.#views.set(view.informant, view)
    const signature = viewSignature(view)
    if (this.#signatures.get(view.informant) === signature) return
    this.#signatures.set(view.informant, signature)
    this.#apply(chooseMap([...this.#views.values()]))
  }

  #apply(map: ClusterMap): void {
    const { members } = this.#options
    for (const address of map.nodes.values()) members.add(address, this.#hooks)
    const before = this.#holders
    this.#holders = [...map.holders]
    const names = new Set(map.nodes.keys())
    for (const informant of this.#views.keys()) {
      if (names.has(informant)) continue
      this.#views.delete(informant)
      this.#signatures.delete(informant)
    }
    this.#track()
    members.retain(names)
    const isMoved = before.some((holder, slot) => holder?.primary !== this.#holders[slot]?.primary)
    if (isMoved) this.#options.onMoved()
  }

  #track(): void {
    const { members, link } = this.#options
    this.#owners = new Set(this.#holders.flatMap((holder) => holder?.primary ?? []))
    members.track(link.replicaReads ? new Set(members.nodes.keys()) : this.#owners)
  }

  async #vouch(node: RedisNode, sinceMs: number, isWanted: () => boolean): Promise<number | undefined> {
    const { clock, heartbeatMs, silenceMaxMs } = this.#options.link
    let askedSinceMs = sinceMs
    for (let pauseMs = this.#gapMs; isWanted(); pauseMs = Math.min(2 * pauseMs, heartbeatMs)) {
      this.refreshSoon()
      await pauseFor(clock, pauseMs)
      const vouchedAtMs = this.#vouchedAt(node, askedSinceMs)
      if (vouchedAtMs === undefined) continue
      // The first commands need time to be answered within `silenceMaxMs` of this.
      const nowMs = clock.monotonicMs()
      if (nowMs - vouchedAtMs < silenceMaxMs / 2) return vouchedAtMs
      askedSinceMs = nowMs
    }
    return undefined
  }

  #vouchedAt(node: RedisNode, sinceMs: number): number | undefined {
    const others = [...this.#options.members.nodes.values()].filter((other) => other !== node)
    if (others.length > 0) {
      const askable = others.filter((other) => other.isConnected).length
      return isVouchedFor(node.name, sinceMs, [...this.#views.values()], askable)
    }
    // A Cluster of one node has nobody who could depose it.
    const own = this.#views.get(node.name)
    return own !== undefined && own.sentAtMs >= sinceMs ? own.sentAtMs : undefined
  }

  async #findAgain(): Promise<void> {
    if (this.#isSeeking) return
    this.#isSeeking = true
    try {
      const view = await this.#options.findAgain()
      if (this.#closed) return
      this.#views.clear()
      this.#signatures.clear()
      this.#take(view)
    } catch {
      // Still nobody there; the next beat tries again.
    } finally {
      this.#isSeeking = false
    }
  }
}
