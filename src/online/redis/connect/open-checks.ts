/** What must hold of a server before it is used. Each refusal says what to do. */
import { TwinstoreError } from '../../../domain/errors.ts'
import { type RedisCommand, type RedisReply, RedisReplyError } from '../redis-link.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type LinkOptions, type RedisAddress, type RedisLocation } from './link-options.ts'

/** Tracking with prefixes is in 6.0; 6.2 is the oldest version that scripts and tests here were made for. */
const OLDEST_VERSION = [6, 2] as const

const RIGHTS =
  '+@read +@write +@scripting +@connection +client|tracking +subscribe +info +wait +cluster|nodes +config|get'

type Ask = (command: RedisCommand) => Promise<RedisReply>

export function checkLocation({ kind, database }: RedisLocation): void {
  if (kind === 'cluster' && database !== 0) {
    throw refusal(`database ${database}: a Redis Cluster has only database 0; leave the number out of --online`)
  }
}

/** Rejects with FAILED_PRECONDITION; errors of the connection pass through. */
export async function checkServer(ask: Ask, address: RedisAddress, options: LinkOptions): Promise<void> {
  const node = addressName(address)
  const info = parseInfo(String(await ask({ name: 'INFO', args: [] })))
  const problem =
    versionProblem(info) ??
    modeProblem(info, options.location) ??
    roleProblem(info, options.location) ??
    evictionProblem(info)
  if (problem !== undefined) throw refusal(`${node}: ${problem}`)
  if (options.location.kind === 'cluster') await checkNodeTimeout(ask, node, options.silenceMaxMs)
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const fields = text.split('\r\n').filter((line) => line.includes(':') && !line.startsWith('#'))
  return new Map(fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

function versionProblem(info: ReadonlyMap<string, string>): string | undefined {
  const version = info.get('redis_version') ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isEnough = major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1])
  return isEnough ? undefined : `Redis ${version} is too old; version ${OLDEST_VERSION.join('.')} or newer is needed`
}

function modeProblem(info: ReadonlyMap<string, string>, { kind, tls }: RedisLocation): string | undefined {
  const isCluster = info.get('cluster_enabled') === '1'
  if (isCluster === (kind === 'cluster')) return undefined
  const scheme = tls ? 'rediss' : 'redis'
  return isCluster
    ? `it belongs to a Redis Cluster; give --online ${scheme}+cluster://host:port,host:port`
    : `it is not a Redis Cluster (cluster-enabled is no); give --online ${scheme}://host:port`
}

function roleProblem(info: ReadonlyMap<string, string>, { kind }: RedisLocation): string | undefined {
  if (kind === 'cluster' || info.get('role') !== 'slave') return undefined
  return `it is a replica and takes no writes; give its primary, ${info.get('master_host')}:${info.get('master_port')}`
}

function evictionProblem(info: ReadonlyMap<string, string>): string | undefined {
  const policy = info.get('maxmemory_policy')
  if (policy === undefined || policy === 'noeviction') return undefined
  return `maxmemory-policy is ${policy}, which drops rows that were acknowledged; set it to noeviction`
}

/** Users without the right to CONFIG are not asked for it. */
async function checkNodeTimeout(ask: Ask, node: string, silenceMaxMs: number): Promise<void> {
  const reply = await ask({ name: 'CONFIG', args: ['GET', 'cluster-node-timeout'] }).catch((error: unknown) => {
    if (error instanceof RedisReplyError) return undefined
    throw error
  })
  const nodeTimeoutMs = Array.isArray(reply) && reply.length === 2 ? Number(String(reply[1])) : undefined
  if (nodeTimeoutMs === undefined || silenceMaxMs < nodeTimeoutMs) return
  throw refusal(
    `${node}: redis-silence-max (${silenceMaxMs} ms) must be below cluster-node-timeout (${nodeTimeoutMs} ms), or a deposed primary could be believed; lower the one or raise the other`,
  )
}

/** What went wrong while the link was opened, for the person who configured it. */
export function openError(error: unknown, location: string): unknown {
  if (error instanceof LinkFault)
    return new TwinstoreError('UNAVAILABLE', `${location}: ${error.message}`, { cause: error })
  if (!(error instanceof RedisReplyError)) return error
  return refusal(`${error.node}: ${adviceFor(error)}`, error)
}

function adviceFor({ code, message }: RedisReplyError): string {
  if (code === 'NOAUTH') return 'it asks for a password; set TWINSTORE_REDIS_PASSWORD (option redis-password)'
  if (code === 'WRONGPASS') return 'it refuses user or password; check redis-username and redis-password'
  if (code === 'NOPERM') {
    return `the user lacks a right (${message}); it needs the keys and channels of the project and ${RIGHTS}`
  }
  if (message.includes('without any password'))
    return 'it asks for no password, yet one is given; remove redis-password'
  if (message.includes('DB index')) return `it has no such database (${message}); change the number in --online`
  return message
}

function refusal(message: string, cause?: Error): TwinstoreError {
  return new TwinstoreError('FAILED_PRECONDITION', message, { cause })
}
