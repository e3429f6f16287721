/**
 * Which process on this folder archives which shards, as one record: owners with the wall time their claim ends and the
 * shards they hold. Owners whose time has passed are forgotten by whoever claims next.
 *
 * The processes are on one machine and share its clock; when it is set back, a claim of a dead owner stands so much longer.
 */
import type { Shard } from '../../domain/entity-key.ts'
import type { ShardClaim } from '../online-store.ts'
import type { Environment } from './environment.ts'

const CLAIMS_KEY = Buffer.from('claims')

interface Owner {
  readonly untilMs: number
  readonly shards: readonly Shard[]
}

/** Must run in a transaction, as must `releaseClaims`. */
export function renewClaims(env: Environment, claim: ShardClaim, shardCount: number, nowMs: number): readonly Shard[] {
  const owners = readOwners(env)
  for (const [owner, { untilMs }] of owners) if (untilMs <= nowMs) owners.delete(owner)
  const held = owners.get(claim.owner)?.shards ?? []
  owners.delete(claim.owner)
  const fairShare = Math.ceil(shardCount / (owners.size + 1))
  const taken = new Set([...owners.values()].flatMap(({ shards }) => shards))
  const free = Array.from({ length: shardCount }, (_, shard) => shard as Shard).filter(
    (shard) => !taken.has(shard) && !held.includes(shard),
  )
  const shards = [...held, ...free].slice(0, fairShare)
  owners.set(claim.owner, { untilMs: nowMs + claim.ttlMs, shards })
  writeOwners(env, owners)
  return shards
}

export function releaseClaims(env: Environment, owner: string): void {
  const owners = readOwners(env)
  if (owners.delete(owner)) writeOwners(env, owners)
}

/** A record that cannot be read is one that is not there: claims only save work. */
function readOwners(env: Environment): Map<string, Owner> {
  const bytes = env.meta.get(CLAIMS_KEY)
  if (bytes === undefined) return new Map()
  try {
    return new Map(Object.entries(JSON.parse(bytes.toString('utf8')) as Record<string, Owner>))
  } catch {
    return new Map()
  }
}

function writeOwners(env: Environment, owners: ReadonlyMap<string, Owner>): void {
  env.meta.put(CLAIMS_KEY, Buffer.from(JSON.stringify(Object.fromEntries(owners))))
}
