import type { FeatureView } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import type { WaitingLimits } from './waiting-rows.ts'

export interface ParityLimits extends WaitingLimits {
  /** `parity-keys-max`: keys of a sample, which are held in memory while it is compared. */
  readonly keysMax: number
  /** `parity-suspects-max`: keys of a run that are looked at again, and so may be found at fault. */
  readonly suspectsMax: number
  /** `parity-batch-keys`: keys that are looked at again together. */
  readonly batchKeys: number
  /** `parity-looks-max`: looks at a key that writers keep on changing. */
  readonly looksMax: number
  /** `parity-repairs-max`: rows that a run repairs. */
  readonly repairsMax: number
  /** `event-time-ahead-max`: no row's event timestamp may be further ahead of now, milliseconds. */
  readonly eventAheadMsMax: number
}

/** What a comparison works with. */
export interface ParityParts {
  readonly online: Pick<OnlineStore, 'shardCount' | 'readMany' | 'readOutbox' | 'lastPosition' | 'scanKeys' | 'mend'>
  readonly offline: Pick<OfflineStore, 'latestOf' | 'restore'>
  /**
   * Whether all that syncs brought to the view's history, as of the call, is online. False while a sync is under way, by
   * whichever instance, and after one that was broken off.
   */
  readonly isSynced: (view: FeatureView) => Promise<boolean>
  readonly clock: Pick<Clock, 'nowMicros' | 'monotonicMs'>
  readonly limits: ParityLimits
}
