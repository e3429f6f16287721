/** Which node holds a slot, for one server and for a Cluster. */

import type { SlotHolder } from './cluster-view.ts'
import type { RedisAddress } from './link-options.ts'
import type { RedisNode } from './node.ts'

export interface Topology {
  /** Undefined: no node holds the slot, as far as is known. */
  holder(slot: number): SlotHolder | undefined
  node(name: string): RedisNode | undefined
  /** Connects to it if it is new; who holds what stays as it is. */
  nodeAt(address: RedisAddress): RedisNode
  primaries(): RedisNode[]
  /** Slots that no node holds. */
  uncoveredSlots(): number
  /** A node replied that another one holds the slot. */
  learn(slot: number, address: RedisAddress): void
  /** Something does not fit: look again soon, once for many calls. */
  refreshSoon(): void
  close(): void
}
