/** When a view is synced: `sync`, `ttl`, and the rule that values arrive at least twice within a TTL. */
import { blindWindow, inWords, isSyncedInTime, waysOut } from '../../domain/blind-window.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { readDuration } from './durations.ts'
import type { FaultScope } from './fault-scope.ts'
import { described, type Fields, readFields } from './option-fields.ts'

type Times = Pick<FeatureView, 'ttlMicros' | 'syncEverySeconds' | 'syncComputeSeconds' | 'mayBeBlind'>

/** `scope` is the view's, `options` are those of the view. */
export function readTimes(scope: FaultScope, options: Fields): Times {
  const ttl = options['ttl'] === undefined ? undefined : readDuration(scope.in('ttl'), options['ttl'])
  const sync = options['sync'] === undefined ? {} : readSync(scope.in('sync'), options['sync'])
  if (options['sync'] !== undefined && options['source'] === undefined) {
    scope.in('sync').add('there is nothing to sync: the view has no source')
  }
  return { ...(ttl === undefined ? {} : { ttlMicros: ttl * 1_000_000 }), ...sync }
}

function readSync(scope: FaultScope, raw: unknown): Omit<Times, 'ttlMicros'> {
  const sync = readFields(scope, raw, ['every', 'computeTime', 'allowBlindWindow'])
  const every = readDuration(scope.in('every'), sync['every'])
  const compute =
    sync['computeTime'] === undefined ? undefined : readDuration(scope.in('computeTime'), sync['computeTime'])
  const allow = sync['allowBlindWindow']
  if (allow !== undefined && typeof allow !== 'boolean') {
    scope.in('allowBlindWindow').add(`expected true or false, got ${described(allow)}`)
  }
  return {
    ...(every === undefined ? {} : { syncEverySeconds: every }),
    ...(compute === undefined ? {} : { syncComputeSeconds: compute }),
    ...(allow === true ? { mayBeBlind: true } : {}),
  }
}

/** A fault at `sync.every` for a view whose values arrive less often than twice within its TTL. */
export function checkSyncInterval(scope: FaultScope, view: Times): void {
  const { ttlMicros, syncEverySeconds: everySeconds, syncComputeSeconds: computeSeconds = 0, mayBeBlind } = view
  if (ttlMicros === undefined || everySeconds === undefined || mayBeBlind) return
  const times = { ttlSeconds: ttlMicros / 1e6, everySeconds, computeSeconds }
  if (isSyncedInTime(times)) return
  const { cycleSeconds, blindSeconds, blindAfterFailureSeconds } = blindWindow(times, 'ready')
  const ways = waysOut(times, 'ready')
  const always =
    blindSeconds === 0
      ? ''
      : `every row would be stale for ${inWords(blindSeconds)} before each sync even if all succeed, and `
  const often =
    cycleSeconds > everySeconds
      ? `every ${inWords(everySeconds)}, with a computation of ${inWords(computeSeconds)} each,`
      : `every ${inWords(everySeconds)}`
  scope
    .in('sync')
    .in('every')
    .add(
      `${often} is more than half of the ttl of ${inWords(times.ttlSeconds)}: ${always}` +
        `after one failed sync every row would be stale for ${inWords(blindAfterFailureSeconds)}; ` +
        `sync at least every ${inWords(ways.everySeconds)}, raise the ttl to ${inWords(ways.ttlSeconds)}, or write the values ` +
        'as they change and set sync.allowBlindWindow (`twinstore plan` works it out)',
    )
}
