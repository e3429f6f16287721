/**
 * What nodes say about the Cluster, and which of them to believe.
 *
 * A node that was paused or cut off answers CLUSTER NODES with the past: it still calls itself the primary of slots that
 * others gave to its replica. So the views of several nodes are kept, and per slot the claim with the greatest
 * config epoch wins: every failover and every finished move of a slot raises it. CLUSTER SLOTS does not show it, which is why
 * CLUSTER NODES is read. Pure; bound: nodes × 16384 steps, only when a view has changed.
 */
import { addressName, type RedisAddress } from './link-options.ts'

export const SLOTS = 16_384

export interface NodeLine {
  readonly id: string
  readonly name: string
  readonly address: RedisAddress
  readonly primary: boolean
  /** Id of a replica's primary. */
  readonly primaryId: string | undefined
  /** Agreed by the Cluster to have failed (flag `fail`, not the suspicion `fail?`). */
  readonly failed: boolean
  readonly myself: boolean
  readonly configEpoch: number
  /** First and last slot, in pairs. */
  readonly slots: readonly (readonly [number, number])[]
}

/** One node's answer. */
export interface ClusterView {
  /** Name of the node that gave it. */
  readonly informant: string
  /** When it was asked, monotonic milliseconds: it shows the state of then or later. */
  readonly sentAtMs: number
  readonly nodes: readonly NodeLine[]
}

/** Who holds a slot. */
export interface SlotHolder {
  readonly primary: string
  readonly replicas: readonly string[]
}

export interface ClusterMap {
  /** By slot; undefined: nobody holds it. */
  readonly holders: readonly (SlotHolder | undefined)[]
  /** Every node to be connected to, by name. */
  readonly nodes: ReadonlyMap<string, RedisAddress>
}

/** Parses a reply of CLUSTER NODES. `asked` stands in for an address that the node does not know of itself. */
export function parseClusterNodes(text: string, asked: RedisAddress, preferHostnames: boolean): NodeLine[] {
  const lines: NodeLine[] = []
  for (const line of text.split('\n')) {
    const [id, endpoint, flagList, primaryId, , , epoch, , ...slots] = line.trim().split(' ')
    if (id === undefined || endpoint === undefined || flagList === undefined) continue
    const flags = new Set(flagList.split(','))
    // Not met yet, or nowhere to be found.
    if (flags.has('handshake') || flags.has('noaddr')) continue
    const address = parseEndpoint(endpoint, asked, preferHostnames)
    lines.push({
      id,
      name: addressName(address),
      address,
      primary: flags.has('master'),
      primaryId: primaryId === '-' ? undefined : primaryId,
      failed: flags.has('fail'),
      myself: flags.has('myself'),
      configEpoch: Number(epoch),
      slots: slots.filter((range) => !range.startsWith('[')).map(parseRange),
    })
  }
  return lines
}

/** `127.0.0.1:7000@17000,hostname`; before Redis 7 without a host name. */
function parseEndpoint(endpoint: string, asked: RedisAddress, preferHostnames: boolean): RedisAddress {
  const [socket = '', hostname = ''] = endpoint.split(',')
  const [client = ''] = socket.split('@')
  const colon = client.lastIndexOf(':')
  const host = preferHostnames && hostname !== '' ? hostname : client.slice(0, colon)
  return { host: host === '' ? asked.host : host, port: Number(client.slice(colon + 1)) }
}

function parseRange(range: string): readonly [number, number] {
  const [first, last] = range.split('-').map(Number)
  return [first!, last ?? first!]
}

/** The map that the views give together. A node that only knows itself, others having forgotten it, is left out. */
export function chooseMap(views: readonly ClusterView[]): ClusterMap {
  const trusted = views.filter((view) => views.length === 1 || isKnownToOthers(view, views))
  const owners: (NodeLine | undefined)[] = new Array(SLOTS).fill(undefined)
  for (const view of trusted) {
    for (const node of view.nodes) {
      if (!node.primary) continue
      for (const [first, last] of node.slots) {
        for (let slot = first; slot <= last; slot++) {
          const owner = owners[slot]
          if (owner === undefined || node.configEpoch > owner.configEpoch) owners[slot] = node
        }
      }
    }
  }
  const holders = new Map<string, SlotHolder>()
  const holderOf = (owner: NodeLine): SlotHolder => {
    const known = holders.get(owner.name)
    if (known !== undefined) return known
    const holder = { primary: owner.name, replicas: replicasOf(owner, trusted) }
    holders.set(owner.name, holder)
    return holder
  }
  return {
    holders: owners.map((owner) => (owner === undefined ? undefined : holderOf(owner))),
    nodes: new Map(trusted.flatMap((view) => view.nodes.map((node) => [node.name, node.address] as const))),
  }
}

function isKnownToOthers(view: ClusterView, views: readonly ClusterView[]): boolean {
  const id = view.nodes.find((node) => node.myself)?.id
  return views.some((other) => other !== view && other.nodes.some((node) => node.id === id))
}

/** As the newest view has them: a replica that has moved on costs a lagging read a redirection. */
function replicasOf(primary: NodeLine, views: readonly ClusterView[]): string[] {
  const newest = views.reduce((best, view) => (view.sentAtMs > best.sentAtMs ? view : best))
  return newest.nodes.filter((node) => node.primaryId === primary.id && !node.failed).map((node) => node.name)
}

/** What of a view matters to the map: pings and times in between change with every answer. */
export function viewSignature(view: ClusterView): string {
  return JSON.stringify(view.nodes)
}

/**
 * Whether a node that was silent may be used again: others that were asked after its silence (`sinceMs`) must answer, at
 * least half of those that can be asked, and none may have it down as failed. The Cluster marks a node so before a
 * replica asks for votes, and the replica waits half a second more; so a node found well is not deposed yet.
 */
export function isVouchedFor(
  name: string,
  sinceMs: number,
  views: readonly ClusterView[],
  askable: number,
): number | undefined {
  const fresh = views.filter((view) => view.informant !== name && view.sentAtMs >= sinceMs)
  if (fresh.length === 0 || fresh.length * 2 < askable) return undefined
  const lines = fresh.map((view) => view.nodes.find((node) => node.name === name))
  if (lines.some((line) => line === undefined || line.failed)) return undefined
  return Math.min(...fresh.map((view) => view.sentAtMs))
}
