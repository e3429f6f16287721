/** The nodes a link is connected to and the trackers on them, by the names of the nodes. */
import type { Heartbeat } from './heartbeat.ts'
import { addressName, type RedisAddress } from './link-options.ts'
import { type NodeHooks, RedisNode } from './node.ts'
import type { SessionOptions } from './session.ts'
import { type Changed, Tracker } from './tracker.ts'

export interface MemberOptions extends SessionOptions {
  readonly trackedPrefix: string
  readonly heartbeat: Heartbeat
  readonly heartbeatMs: number
}

export class Members {
  readonly nodes = new Map<string, RedisNode>()
  readonly #trackers = new Map<string, Tracker>()
  readonly #options: MemberOptions
  readonly #report: (changed: Changed) => void

  constructor(options: MemberOptions, report: (changed: Changed) => void) {
    this.#options = options
    this.#report = report
  }

  /** Connects to a node unless it is known. */
  add(address: RedisAddress, hooks: NodeHooks): RedisNode {
    const name = addressName(address)
    const node = this.nodes.get(name) ?? new RedisNode(address, this.#options, this.#options.heartbeatMs, hooks)
    this.nodes.set(name, node)
    return node
  }

  /** Drops the nodes that are not in the topology any more. */
  retain(names: ReadonlySet<string>): void {
    for (const [name, node] of this.nodes) {
      if (names.has(name)) continue
      node.close()
      this.nodes.delete(name)
    }
  }

  /** Tracks these nodes and no others. */
  track(names: ReadonlySet<string>): void {
    for (const [name, tracker] of this.#trackers) {
      if (names.has(name)) continue
      tracker.close()
      this.#trackers.delete(name)
    }
    for (const name of names) {
      const node = this.nodes.get(name)
      if (node === undefined || this.#trackers.has(name)) continue
      this.#trackers.set(name, new Tracker(node.address, this.#options, this.#options.heartbeatMs, this.#report))
    }
  }

  tracker(name: string): Tracker | undefined {
    return this.#trackers.get(name)
  }

  close(): void {
    this.retain(new Set())
    this.track(new Set())
  }
}
