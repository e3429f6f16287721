/**
 * Makes `watch` of an embedded store cross processes: what one worker's store reports is told to the other workers, and what
 * they report is heard here as if the store had. A store with a server of its own (Redis) does that by itself.
 *
 * The writing worker's readers see a write before it is acknowledged; those of the others when the message has come,
 * milliseconds later (G3). A worker that is killed between its commit and the message is made up for by the supervisor,
 * which then tells the others that anything may have changed.
 */
import type { Invalidation, OnlineStore } from '../online/online-store.ts'

export interface ChangeChannel {
  tell(changed: Invalidation): void
  /** Calls `listener` with what other workers tell. Returns a function that stops it. */
  listen(listener: (changed: Invalidation) => void): () => void
}

export function sharedWatch(store: OnlineStore, channel: ChangeChannel): OnlineStore {
  const stopTelling = store.watch((changed) => channel.tell(changed))
  return {
    ...store,
    watch(listener) {
      const stopOwn = store.watch(listener)
      const stopOthers = channel.listen(listener)
      return () => {
        stopOwn()
        stopOthers()
      }
    },
    async close() {
      stopTelling()
      await store.close()
    },
  }
}
