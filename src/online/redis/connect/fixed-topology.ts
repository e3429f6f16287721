/** One server that holds everything, and that nothing deposes. */
import type { RedisAddress } from './link-options.ts'
import type { Members } from './members.ts'
import type { Topology } from './topology.ts'

export function fixedTopology(address: RedisAddress, members: Members): Topology {
  const node = members.add(address, { vouch: async (_node, sinceMs) => sinceMs, lost: () => undefined })
  members.track(new Set([node.name]))
  const holder = { primary: node.name, replicas: [] }
  return {
    holder: () => holder,
    node: (name) => members.nodes.get(name),
    primaries: () => [node],
    uncoveredSlots: () => 0,
    nodeAt: () => node,
    learn: () => undefined,
    refreshSoon: () => undefined,
    close: () => members.close(),
  }
}
