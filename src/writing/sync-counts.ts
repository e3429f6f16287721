/** What the syncs of one instance did since it started, in plain numbers, for whoever watches. */
export type SyncOutcome = 'done' | 'failed' | 'refused'

export interface SyncCounts {
  /** `refused`: another instance's sync committed first, or the caller gave up. */
  readonly runs: Readonly<Record<SyncOutcome, number>>
  readonly rowsRead: number
  readonly rowsAdded: number
  readonly rowsOnline: number
  /** Of runs that were done. */
  readonly seconds: number
  readonly running: number
}

interface DoneSync {
  readonly view: string
  readonly rowsRead: number
  readonly rowsAdded: number
  readonly rowsOnline: number
  readonly seconds: number
}

const NOTHING: SyncCounts = {
  runs: { done: 0, failed: 0, refused: 0 },
  rowsRead: 0,
  rowsAdded: 0,
  rowsOnline: 0,
  seconds: 0,
  running: 0,
}

export class ViewSyncCounts {
  readonly #views = new Map<string, SyncCounts>()

  get byView(): ReadonlyMap<string, SyncCounts> {
    return this.#views
  }

  began(view: string): void {
    const counts = this.#of(view)
    this.#views.set(view, { ...counts, running: counts.running + 1 })
  }

  succeeded({ view, rowsRead, rowsAdded, rowsOnline, seconds }: DoneSync): void {
    const counts = this.#ended(view, 'done')
    this.#views.set(view, {
      ...counts,
      rowsRead: counts.rowsRead + rowsRead,
      rowsAdded: counts.rowsAdded + rowsAdded,
      rowsOnline: counts.rowsOnline + rowsOnline,
      seconds: counts.seconds + seconds,
    })
  }

  ended(view: string, outcome: Exclude<SyncOutcome, 'done'>): void {
    this.#views.set(view, this.#ended(view, outcome))
  }

  #ended(view: string, outcome: SyncOutcome): SyncCounts {
    const counts = this.#of(view)
    const runs = { ...counts.runs, [outcome]: counts.runs[outcome] + 1 }
    return { ...counts, runs, running: counts.running - 1 }
  }

  #of(view: string): SyncCounts {
    return this.#views.get(view) ?? NOTHING
  }
}
