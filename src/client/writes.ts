/** WriteFeatures: row objects encoded by the view's types, under a write id that makes retries safe. */
import { randomUUID } from 'node:crypto'
import type { ViewDescription } from '../domain/description.ts'
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import type { WriteStatus } from '../domain/outcome.ts'
import { encodeValue } from '../domain/value-codec.ts'
import { didYouMean } from '../lib/nearest-name.ts'
import { lengthField, varint64Bytes, varintField } from '../lib/wire.ts'
import { columnTypes, type DescriptionCache } from './description.ts'
import { fromPlain } from './plain-value.ts'
import { decodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

/**
 * Join keys and features by name. A feature that is absent (or undefined) is missing in the written row, null is null.
 * `event_timestamp` says when the values became true: a Date, or microseconds as a bigint; absent: now.
 */
export type WriteRow = Readonly<Record<string, unknown>>

export interface WriteOptions extends CallOptions {
  /** BOTH waits for the offline history too. ONLINE unless given. */
  readonly ack?: 'ONLINE' | 'BOTH'
  /** A write with the id of an earlier one changes nothing and gets the earlier answer. A fresh one unless given. */
  readonly writeId?: string
}

export interface WriteOutcome {
  /**
   * SUPERSEDED: the online store holds a newer version; the row is kept in the history. HISTORY_ONLY: it is kept there only,
   * because the view is not online, or keeps only some entities online.
   */
  readonly status: WriteStatus
  /** Microseconds, unique and increasing within a shard. */
  readonly position: bigint
}

const ACK = { ONLINE: 1, BOTH: 2 }
const TIME_COLUMN = 'event_timestamp'

export async function writeFeatures(
  transport: Transport,
  descriptions: DescriptionCache,
  view: string,
  rows: readonly WriteRow[],
  options: WriteOptions = {},
): Promise<readonly WriteOutcome[]> {
  const request = encodeWrite(await descriptions.view(view), rows, options)
  try {
    return decodeOutcomes(await transport.unary(methodPath('Serving', 'WriteFeatures'), request, options))
  } catch (error) {
    // The types that were used for encoding may be those of earlier definitions.
    if (error instanceof TwinstoreError && error.code === 'INVALID_ARGUMENT') descriptions.forget()
    throw error
  }
}

/** A serialized `WriteFeaturesRequest`. INVALID_ARGUMENT naming every unknown column and every value of a wrong type. */
export function encodeWrite(view: ViewDescription, rows: readonly WriteRow[], options: WriteOptions): Buffer {
  const faults: Fault[] = []
  const types = columnTypes([...view.joinKeys, ...view.features])
  const names = new Set(rows.flatMap((row) => Object.keys(row)))
  names.delete(TIME_COLUMN)
  for (const name of names) {
    if (types.has(name)) continue
    faults.push({ at: name, problem: `not a column of view ${view.name}${didYouMean(name, types.keys())}` })
    names.delete(name)
  }
  const encodedRows = rows.map((row, index) => {
    const values = [...names].map((name) => {
      const type = types.get(name)!
      const bytes = encodeValue(type, fromPlain(type, row[name]))
      if (typeof bytes !== 'string') return lengthField(1, bytes)
      faults.push({ at: `rows[${index}].${name}`, problem: bytes })
      return Buffer.alloc(0)
    })
    return lengthField(3, Buffer.concat([...values, timeField(row[TIME_COLUMN], index, faults)]))
  })
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', `the rows do not fit view ${view.name}:`, faults)
  return Buffer.concat([
    lengthField(1, Buffer.from(view.name)),
    ...[...names].map((name) => lengthField(2, Buffer.from(name))),
    ...encodedRows,
    varintField(4, ACK[options.ack ?? 'ONLINE']),
    lengthField(5, Buffer.from(options.writeId ?? randomUUID())),
  ])
}

/** `optional int64 event_timestamp_micros = 2` of a row. */
function timeField(time: unknown, row: number, faults: Fault[]): Buffer {
  if (time === undefined || time === null) return Buffer.alloc(0)
  let micros: bigint | undefined
  if (typeof time === 'bigint') micros = time
  else if (time instanceof Date && !Number.isNaN(time.getTime())) micros = BigInt(time.getTime()) * 1000n
  if (micros !== undefined) return Buffer.concat([Buffer.from([2 << 3]), varint64Bytes(micros)])
  faults.push({
    at: `rows[${row}].${TIME_COLUMN}`,
    problem: `expected a Date or microseconds as a bigint, got ${typeof time} ${String(time).slice(0, 40)}`,
  })
  return Buffer.alloc(0)
}

interface OutcomesMessage {
  readonly outcomes: readonly { readonly status: string; readonly position: string }[]
}

export function decodeOutcomes(bytes: Buffer): WriteOutcome[] {
  return decodeMessage<OutcomesMessage>('WriteFeaturesResponse', bytes).outcomes.map((outcome) => ({
    status: outcome.status.replace('STATUS_', '') as WriteStatus,
    position: BigInt(outcome.position),
  }))
}
