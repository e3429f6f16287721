/**
 * Where Redis is: `redis://[user[:password]@]host[:port][/database]`, `redis+cluster://` with several hosts, and `rediss`
 * for TLS. Messages name the faulty part and never the password.
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { Config } from './option-table.ts'

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisLocation {
  readonly kind: 'standalone' | 'cluster'
  readonly nodes: readonly RedisAddress[]
  readonly database: number
  readonly tls: boolean
  readonly tlsCaFile?: string
  readonly username?: string
  readonly password?: string
}

type LocationOptions = Pick<Config, 'online' | 'redis-username' | 'redis-password' | 'redis-tls-ca'>

const SCHEME = /^redis(s?)(\+cluster)?:/
const DEFAULT_PORT = 6379

/** Undefined: the option `online` names another kind of store. */
export function redisLocation(config: LocationOptions): RedisLocation | undefined {
  const scheme = SCHEME.exec(config.online)
  if (scheme === null) return undefined
  const [prefix, tls, cluster] = scheme
  const rest = config.online.slice(prefix.length)
  if (!rest.startsWith('//')) throw fault(`${prefix} must be followed by //host:port`)
  // A password may hold an @ that nobody encoded: the last one ends it.
  const at = rest.lastIndexOf('@')
  const [hosts = '', database, ...more] = rest.slice(Math.max(at + 1, 2)).split('/')
  if (more.length > 0 || /[?#]/.test(database ?? '')) throw fault('nothing may follow the database number')
  const login = parseLogin(at < 0 ? '' : rest.slice(2, at))
  const nodes = hosts.split(',').map(parseAddress)
  if (cluster === undefined && nodes.length > 1) {
    throw fault(`${nodes.length} hosts are given for one server; a Cluster is ${prefix.replace(':', '+cluster:')}//`)
  }
  return {
    kind: cluster === undefined ? 'standalone' : 'cluster',
    nodes,
    database: parseDatabase(database, cluster !== undefined),
    tls: tls === 's',
    ...given('tlsCaFile', config['redis-tls-ca']),
    ...given('username', login.username || config['redis-username']),
    ...given('password', login.password || config['redis-password']),
  }
}

function parseLogin(login: string): { username: string; password: string } {
  const colon = login.indexOf(':')
  const [username, password] = colon < 0 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)]
  return { username: decoded('user', username), password: decoded('password', password) }
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw fault(`the ${part} is not percent-encoded as URLs are: write % as %25`)
  }
}

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port` */
function parseAddress(text: string): RedisAddress {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^[\]:\s]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[3] ?? DEFAULT_PORT)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || port < 1 || port > 65_535) {
    throw fault(`${JSON.stringify(text)} is not host:port (an IPv6 address goes in brackets)`)
  }
  return { host, port }
}

function parseDatabase(text: string | undefined, isCluster: boolean): number {
  if (text === undefined || text === '') return 0
  if (!/^\d{1,9}$/.test(text)) throw fault(`${JSON.stringify(text)} is not a database number`)
  if (isCluster && Number(text) !== 0) throw fault(`a Redis Cluster has only database 0, not ${text}`)
  return Number(text)
}

function given<K extends string>(key: K, value: string): { [P in K]?: string } {
  return value === '' ? {} : ({ [key]: value } as { [P in K]: string })
}

function fault(problem: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', `--online: ${problem}`)
}
