/**
 * Holds an online store to the offline store it was first used with.
 *
 * Rows in the outbox of one history must not end up in another, and an offline folder that was moved away must not be
 * taken for an empty one: the history would begin anew without a word.
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { OnlineStore } from '../online/online-store.ts'

const MARK = 'offline-store'

/** FAILED_PRECONDITION if the online store belongs to another offline store than this one, at `location`. */
export async function pairStores(
  online: Pick<OnlineStore, 'claimMark'>,
  offlineId: string,
  location: string,
): Promise<void> {
  // Of two instances that begin with different offline stores at once, one is refused.
  const known = await online.claimMark(MARK, offlineId)
  if (known === offlineId) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `the online store holds the latest values of offline store ${known}, and ${location} is offline store ${offlineId}: ` +
      'give the offline store that belongs to it (option offline), or an empty online store (option online) to begin with this one',
  )
}
