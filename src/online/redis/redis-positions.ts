/** Positions of shards and of the whole store. */
import { TwinstoreError } from '../../domain/errors.ts'
import { versionBytes } from '../../domain/row-codec.ts'
import { NO_POSITION, type Position } from '../../domain/version.ts'
import { type RedisCalls, script } from './redis-calls.ts'
import type { ShardKeys, StoreKeys } from './redis-keys.ts'
import { HORIZON_SCRIPT, RAISE_SCRIPT, RESERVE_SCRIPT } from './scripts/position-scripts.ts'

const RAISE = script(RAISE_SCRIPT)
const HORIZON = script(HORIZON_SCRIPT)
const RESERVE = script(RESERVE_SCRIPT)
/** Doubles from 1 ms: a node whose clock is an hour ahead is passed in 22 tries. */
const MARGIN_MICROS = 1000
const TRIES = 32

/** The position before. */
export async function raisePosition(calls: RedisCalls, keys: ShardKeys, floor: number): Promise<number> {
  return Number(await calls.run(keys.tag, RAISE, [keys.state], [String(floor)]))
}

/** See `OnlineStore.raiseHorizon`. */
export async function raiseHorizon(
  calls: RedisCalls,
  shards: readonly ShardKeys[],
  storageId: string,
  eventMicros: number,
): Promise<void> {
  const horizon = versionBytes({ eventMicros, position: NO_POSITION }).subarray(0, 8)
  await Promise.all(shards.map(({ tag, state }) => calls.run(tag, HORIZON, [state], [`horizon:${storageId}`, horizon])))
}

export async function lastPosition(calls: RedisCalls, keys: ShardKeys): Promise<Position> {
  return Number((await calls.command(keys.tag, 'HGET', keys.state, 'position')) ?? 0) as Position
}

/**
 * A position above those of all shards, which are then raised above it. A shard that is written to meanwhile, or whose node's clock is
 * ahead, may have passed it; then it is tried again, further ahead.
 */
export async function reservePosition(
  calls: RedisCalls,
  store: StoreKeys,
  shards: readonly ShardKeys[],
): Promise<Position> {
  let floor = 0
  let margin = MARGIN_MICROS
  for (let tries = 0; tries < TRIES; tries++) {
    const position = Number(await calls.run(store.tag, RESERVE, [store.reserved], [String(floor)]))
    const before = await Promise.all(shards.map((keys) => raisePosition(calls, keys, position)))
    const greatest = Math.max(...before)
    if (greatest < position) return position as Position
    floor = greatest + margin
    margin *= 2
  }
  throw new TwinstoreError('UNAVAILABLE', `the shards' positions run ahead of every one reserved in ${TRIES} tries`)
}
