/**
 * Which files of a snapshot can hold rows that are asked for, from their partition and statistics alone.
 *
 * Never wrong, only coarse: a file whose statistics are missing or not understood is kept.
 */
import type { KeyValue } from '../../domain/entity-key.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { compareUtf8 } from '../../lib/utf8-order.ts'
import type { AddFile } from './actions.ts'
import { parseStats, timestampMs } from './file-stats.ts'
import type { JsonObject } from './json-fields.ts'
import { PARTITION_COLUMN } from './schema.ts'

export interface FileFilter {
  /** Event timestamps from and up to, both inclusive, microseconds since 1970. */
  readonly eventMicrosMin?: number
  readonly eventMicrosMax?: number
  /** Rows of any of these entities: join-key values in canonical order. */
  readonly entities?: readonly (readonly KeyValue[])[]
}

/** The files that can match, in the order given. */
export function pruneFiles<F extends AddFile>(
  view: Pick<FeatureView, 'joinKeys'>,
  files: readonly F[],
  filter: FileFilter,
): readonly F[] {
  return files.filter((file) => {
    if (!partitionCanMatch(file, filter)) return false
    const { minValues, maxValues } = statsOf(file)
    return timesCanMatch(minValues, maxValues, filter) && entitiesCanMatch(view, minValues, maxValues, filter)
  })
}

/** Parsed once per file of a snapshot: a look-up may go over thousands of them while a request waits. */
const parsed = new WeakMap<AddFile, ReturnType<typeof parseStats>>()

function statsOf(file: AddFile): ReturnType<typeof parseStats> {
  const known = parsed.get(file)
  if (known !== undefined) return known
  const stats = parseStats(file.stats)
  parsed.set(file, stats)
  return stats
}

/**
 * A partition begins at its date. It ends with that day or with that month, according to the view when the file was
 * written; the month is assumed, because a view may have been changed since.
 */
function partitionCanMatch(file: AddFile, filter: FileFilter): boolean {
  const date = /^(\d{4})-(\d\d)-(\d\d)$/.exec(file.partitionValues[PARTITION_COLUMN] ?? '')
  if (!date) return true
  const [year, month, day] = [Number(date[1]), Number(date[2]), Number(date[3])]
  const { eventMicrosMin, eventMicrosMax } = filter
  if (eventMicrosMax !== undefined && Date.UTC(year, month - 1, day) * 1000 > eventMicrosMax) return false
  return eventMicrosMin === undefined || Date.UTC(year, month, 1) * 1000 > eventMicrosMin
}

/** The recorded maximum may have been cut to milliseconds, so that rows up to 999 microseconds later are in the file. */
function timesCanMatch(minValues: JsonObject, maxValues: JsonObject, filter: FileFilter): boolean {
  const min = timestampMs(minValues['event_timestamp'])
  const max = timestampMs(maxValues['event_timestamp'])
  const { eventMicrosMin, eventMicrosMax } = filter
  if (min !== undefined && eventMicrosMax !== undefined && min * 1000 > eventMicrosMax) return false
  return max === undefined || eventMicrosMin === undefined || max * 1000 + 999 >= eventMicrosMin
}

function entitiesCanMatch(
  view: Pick<FeatureView, 'joinKeys'>,
  minValues: JsonObject,
  maxValues: JsonObject,
  filter: FileFilter,
): boolean {
  if (filter.entities === undefined) return true
  return filter.entities.some((values) =>
    view.joinKeys.every(({ name }, index) => isWithin(values[index]!, minValues[name], maxValues[name])),
  )
}

function isWithin(value: KeyValue, min: unknown, max: unknown): boolean {
  if (typeof value === 'bigint') {
    // A number beyond 2^53 was rounded by the JSON parser and bounds nothing.
    if (Number.isSafeInteger(min) && value < BigInt(min as number)) return false
    return !(Number.isSafeInteger(max) && value > BigInt(max as number))
  }
  if (typeof min === 'string' && compareUtf8(value, min) < 0) return false
  // Another writer may have cut a long maximum: the value is then only known to begin so.
  return typeof max !== 'string' || compareUtf8(value, max) <= 0 || value.startsWith(max)
}
