import type { RedisProcess } from './redis-process.d.mts'

export interface ClusterOptions {
  /** Default 3. */
  readonly primaries?: number
  /** Of each primary; default 1. */
  readonly replicas?: number
  /** `cluster-node-timeout`; default 1500. */
  readonly nodeTimeoutMs?: number
  /** Further flags of redis-server for every node. */
  readonly args?: readonly (string | number)[]
  /** The nodes have this port and the following. Default: free ones. */
  readonly basePort?: number
  /** Kept by `dispose`; a Cluster that is there already is started as it was. Default: temporary folders. */
  readonly dir?: string
  /** See `RedisOptions`. */
  readonly detached?: boolean
}

export interface NodeRole {
  readonly port: number
  readonly id: string
  readonly role: 'primary' | 'replica'
  /** Of a replica: where its primary is. */
  readonly primaryPort: number | undefined
  /** First and last slot of each range that it holds. */
  readonly slots: readonly (readonly [number, number])[]
}

export interface RedisCluster {
  /** `redis+cluster://127.0.0.1:port,...` with every node. */
  readonly url: string
  /** Primaries first, as created. */
  readonly nodes: readonly RedisProcess[]
  /** Waits for one: resolves to the new primary after the old one was killed. Of two that claim the slot, the newer. */
  primaryOf(slotOrKey: number | string): Promise<RedisProcess>
  /** Those that answer. */
  replicasOf(slotOrKey: number | string): Promise<readonly RedisProcess[]>
  /** What each node that answers says of itself. */
  roles(): Promise<readonly NodeRole[]>
  /**
   * Resolves when every running node says the Cluster is ok and agrees on who holds what, all slots are held, each primary has
   * a replica and each replica's link is up; rejects with what is missing. Default timeout: 20 s.
   */
  waitHealthy(timeoutMs?: number): Promise<void>
  /** Makes the replica on this port the primary; resolves when all nodes agree. Without a mode its primary must be alive. */
  failover(port: number, mode?: 'FORCE' | 'TAKEOVER'): Promise<void>
  /** Moves a slot, with its keys, to the primary on this port. */
  moveSlot(slot: number, toPort: number): Promise<void>
  /** The same in steps: `open`, then `keys` after each batch; leave the loop to stop midway. Called again, it goes on. */
  moveSlotInSteps(slot: number, toPort: number, keysPerStep?: number): AsyncGenerator<'open' | 'keys', void>
  dispose(): Promise<void>
}

export function startCluster(options?: ClusterOptions): Promise<RedisCluster>
