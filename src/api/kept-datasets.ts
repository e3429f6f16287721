/**
 * Finished data sets while they are sent, and for a while after a stream broke, so that their readers can come back.
 *
 * A data set is *in use* while streams read it: more than one, when a reader comes back before its dead connection is noticed. When
 * the last stream has ended it is either disposed of, if one of them was read to its end, or *kept* for `datasetKeepMs`. Kept ones
 * together have at most `datasetKeepBytesMax`; beyond that the one left longest goes first. One that is gone can be made again.
 */
import type { Clock } from '../lib/clock.ts'
import type { NamedDataset } from './named-dataset.ts'

export interface KeptDatasetsSettings {
  readonly clock: Clock
  /** Option `dataset-keep`; 0: nothing is kept. */
  readonly datasetKeepMs: number
  /** Option `dataset-keep-bytes-max`. */
  readonly datasetKeepBytesMax: number
}

export interface LentDataset {
  readonly made: NamedDataset
  /** To be called once, with whether the stream was read to its end. */
  release(complete: boolean): Promise<void>
}

export interface KeptDatasets {
  /** Takes charge of a data set, which is in use from now on. */
  add(id: string, made: NamedDataset): LentDataset
  has(id: string): boolean
  /** The data set, in use once more; undefined if it is not here. */
  lend(id: string): LentDataset | undefined
}

interface Entry {
  readonly id: string
  readonly made: NamedDataset
  streams: number
  complete: boolean
  /** While it is kept. */
  timer?: { cancel(): void } | undefined
}

export function createKeptDatasets(settings: KeptDatasetsSettings): KeptDatasets {
  const entries = new Map<string, Entry>()
  /** Those that no stream reads, in the order in which they were left. */
  const kept = new Set<Entry>()

  const remove = async (entry: Entry): Promise<void> => {
    entry.timer?.cancel()
    kept.delete(entry)
    if (entries.get(entry.id) === entry) entries.delete(entry.id)
    await entry.made.dataset.dispose()
  }

  const keep = async (entry: Entry): Promise<void> => {
    kept.add(entry)
    // A file that cannot be removed is in the spool's folder, which is swept at the next start.
    entry.timer = settings.clock.after(settings.datasetKeepMs, () => void remove(entry).catch(() => undefined))
    for (const oldest of kept) {
      const bytes = [...kept].reduce((sum, { made }) => sum + made.dataset.bytes, 0)
      if (bytes <= settings.datasetKeepBytesMax) break
      await remove(oldest)
    }
  }

  const lent = (entry: Entry): LentDataset => {
    entry.streams++
    entry.timer?.cancel()
    kept.delete(entry)
    return {
      made: entry.made,
      async release(complete) {
        entry.streams--
        entry.complete ||= complete
        if (entry.streams > 0) return
        if (entry.complete || settings.datasetKeepMs === 0) await remove(entry)
        else await keep(entry)
      },
    }
  }

  return {
    add(id, made) {
      const entry: Entry = { id, made, streams: 0, complete: false }
      entries.set(id, entry)
      return lent(entry)
    },
    has: (id) => entries.has(id),
    lend(id) {
      const entry = entries.get(id)
      return entry === undefined ? undefined : lent(entry)
    },
  }
}
