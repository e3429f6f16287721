/**
 * The sample as a whole, once: which keys agree at first sight, and which are to be looked at again.
 *
 * Read are the outbox, the history's latest rows, then the online rows of their keys, then the keys that the online store lists.
 * Nothing is judged here: a writer in between makes a key look wrong, and whatever looks wrong is a suspect.
 */
import { type RowKey, type Shard, splitRowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { isStale } from '../domain/freshness.ts'
import { isRowInSample, type KeySample } from '../domain/key-sample.ts'
import type { RowResult } from '../domain/outcome.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import { compareRowVersions, ROW_HEADER_BYTES, rowEventMicros } from '../domain/row-codec.ts'
import type { RowWrite, ScanCursor } from '../online/online-store.ts'
import type { ParityParts } from './parity-parts.ts'
import { rowDifferences } from './row-differences.ts'
import type { Tally } from './tally.ts'
import { readWaiting } from './waiting-rows.ts'

export interface FirstLook {
  readonly tableVersion: number
  readonly suspects: readonly RowKey[]
}

export interface FirstLookOptions {
  readonly sample: KeySample
  readonly signal: AbortSignal | undefined
  readonly onProgress: (step: string, fraction?: number) => void
}

/** Online rows asked for together. */
const READ_KEYS = 500
/** Keys of a page of the listing. */
const SCAN_KEYS = 1000

/** Counts the keys that agree in `tally`. RESOURCE_EXHAUSTED if the sample has too many keys. */
export async function lookAtSample(
  parts: ParityParts,
  view: FeatureView,
  tally: Tally,
  { sample, signal, onProgress }: FirstLookOptions,
): Promise<FirstLook> {
  const look = new SampleLook(parts, view, tally, sample, signal)
  onProgress('reading the outbox')
  await look.readOutbox()
  onProgress('reading the history')
  const history = await parts.offline.latestOf(
    view,
    { sample },
    {
      ...(signal === undefined ? {} : { signal }),
      onProgress: ({ step, fraction }) => onProgress(step, fraction),
    },
  )
  let done = 0
  for await (const batch of history.batches) {
    look.refuseTooMany(history.rows)
    await look.compare(batch)
    done += batch.length
    onProgress('comparing with the online store', done / Math.max(1, history.rows))
  }
  await look.compareWaiting()
  onProgress('listing the online keys')
  await look.listOnline()
  return { tableVersion: history.tableVersion, suspects: look.suspects }
}

class SampleLook {
  readonly suspects: RowKey[] = []
  readonly #parts: ParityParts
  readonly #view: FeatureView
  readonly #tally: Tally
  readonly #sample: KeySample
  readonly #signal: AbortSignal | undefined
  /** Headers of the newest rows in the outbox: they hold the version and the checksum of the body. */
  #waiting: ReadonlyMap<RowKey, Buffer> = new Map()
  readonly #seen = new Set<RowKey>()

  constructor(parts: ParityParts, view: FeatureView, tally: Tally, sample: KeySample, signal: AbortSignal | undefined) {
    this.#parts = parts
    this.#view = view
    this.#tally = tally
    this.#sample = sample
    this.#signal = signal
  }

  async readOutbox(): Promise<void> {
    const { online, limits } = this.#parts
    const shards = Array.from({ length: online.shardCount }, (_, shard) => shard as Shard)
    const header = (row: Buffer): Buffer => Buffer.from(row.subarray(0, ROW_HEADER_BYTES))
    const { rows } = await readWaiting(online, shards, (key) => this.#isOwn(key), header, limits)
    this.refuseTooMany(rows.size)
    // A shard that cannot be read makes suspects of its keys, which then are unchecked for the same reason.
    this.#waiting = rows
  }

  async compare(batch: readonly RowWrite[]): Promise<void> {
    for (let from = 0; from < batch.length; from += READ_KEYS) {
      const rows = batch.slice(from, from + READ_KEYS)
      const online = await this.#read(rows.map(({ key }) => key))
      for (const [index, { key, row }] of rows.entries()) this.#take(key, online[index]!, row)
    }
  }

  /** Keys that are in the outbox and not in the history yet. */
  async compareWaiting(): Promise<void> {
    const keys = [...this.#waiting.keys()].filter((key) => !this.#seen.has(key))
    for (let from = 0; from < keys.length; from += READ_KEYS) {
      const own = keys.slice(from, from + READ_KEYS)
      const online = await this.#read(own)
      for (const [index, key] of own.entries()) this.#take(key, online[index]!, undefined)
    }
  }

  /** Keys that neither outbox nor history had. */
  async listOnline(): Promise<void> {
    const id = storageId(this.#view)
    let cursor: ScanCursor | undefined
    do {
      this.#signal?.throwIfAborted()
      const page = await this.#parts.online.scanKeys(id, cursor, SCAN_KEYS)
      if (page.fault !== undefined) this.#tally.problems.add(`keys were not all listed: ${page.fault.message}`)
      for (const key of page.keys) {
        if (this.#seen.has(key) || !this.#isOwn(key)) continue
        this.#see(key)
        this.suspects.push(key)
      }
      cursor = page.next
    } while (cursor !== undefined)
  }

  refuseTooMany(keys: number): void {
    const { keysMax } = this.#parts.limits
    if (keys <= keysMax) return
    throw new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `the sample of view ${this.#view.name} has more than ${keysMax} keys (option parity-keys-max): take a smaller one, such as 1/${2 * this.#sample.parts}`,
    )
  }

  #isOwn(key: RowKey): boolean {
    return splitRowKey(key).storageId === storageId(this.#view) && isRowInSample(key, this.#sample)
  }

  async #read(keys: readonly RowKey[]): Promise<readonly RowResult[]> {
    this.#signal?.throwIfAborted()
    return await this.#parts.online.readMany(keys)
  }

  #see(key: RowKey): void {
    this.#seen.add(key)
    this.refuseTooMany(this.#seen.size)
  }

  #take(key: RowKey, online: RowResult, history: Buffer | undefined): void {
    this.#see(key)
    if (online instanceof TwinstoreError && online.code !== 'DATA_LOSS') this.#tally.unchecked(online.message)
    else if (Buffer.isBuffer(online)) this.#compareRows(key, online, history)
    else this.suspects.push(key)
  }

  #compareRows(key: RowKey, online: Buffer, history: Buffer | undefined): void {
    const waiting = this.#waiting.get(key)
    const isPending = waiting !== undefined && (history === undefined || compareRowVersions(waiting, history) > 0)
    const agrees = isPending
      ? online.subarray(0, ROW_HEADER_BYTES).equals(waiting)
      : history !== undefined &&
        compareRowVersions(online, history) === 0 &&
        rowDifferences(this.#view, online, history).length === 0
    if (!agrees) this.suspects.push(key)
    else if (this.#isExpired(online)) this.#tally.count('expired')
    else this.#tally.count(isPending ? 'pending' : 'equal')
  }

  #isExpired(row: Buffer): boolean {
    return isStale(rowEventMicros(row), this.#view.ttlMicros, this.#parts.clock.nowMicros())
  }
}
