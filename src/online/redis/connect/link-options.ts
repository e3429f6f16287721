import type { Clock } from '../../../lib/clock.ts'

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

/** `host:port`: how a node is named in messages and kept apart from others. */
export function addressName({ host, port }: RedisAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Where Redis is, from the URL of option `online` and the options `redis-username`, `redis-password`, `redis-tls-ca`. */
export interface RedisLocation {
  readonly kind: 'standalone' | 'cluster'
  /** One for a standalone server; some or all nodes of a Cluster, the others are found. */
  readonly nodes: readonly RedisAddress[]
  /** Database number of a standalone server; 0 in a Cluster. */
  readonly database: number
  readonly tls: boolean
  /** File with certificates to trust; undefined: the system's. */
  readonly tlsCaFile?: string
  readonly username?: string
  readonly password?: string
}

export interface LinkOptions {
  readonly location: RedisLocation
  /** Keys that begin with this are tracked: `{default:`. */
  readonly trackedPrefix: string
  /** Whether reads with `mayLag` go to replicas, which are then tracked too (option `redis-read-from` or a hedge). */
  readonly replicaReads: boolean
  /** `redis-connect-timeout` */
  readonly connectTimeoutMs: number
  /** `redis-heartbeat` */
  readonly heartbeatMs: number
  /** `redis-silence-max` */
  readonly silenceMaxMs: number
  /** `redis-topology-interval` */
  readonly topologyIntervalMs: number
  readonly clock: Clock
}

/** The URL without user and password. */
export function locationName({ kind, nodes, database, tls }: RedisLocation): string {
  const scheme = `${tls ? 'rediss' : 'redis'}${kind === 'cluster' ? '+cluster' : ''}`
  return `${scheme}://${nodes.map(addressName).join(',')}${database === 0 ? '' : `/${database}`}`
}
