/** A `FeatureVector` read from its bytes: with the types in the layout each value is decoded once, into its plain form. */
import { statusName } from '../domain/outcome.ts'
import { readValue } from '../domain/value-codec.ts'
import { WIRE_LENGTH, WireReader } from '../lib/wire.ts'
import type { AnswerLayout, SlotStatusName } from './answer-layout.ts'
import { type PlainValue, toPlain } from './plain-value.ts'

/** The features of one entity row, by column name. */
export interface FeatureRow {
  readonly values: Readonly<Record<string, PlainValue>>
  readonly statuses: Readonly<Record<string, SlotStatusName>>
  /** By view (or alias); null where it has no row. */
  readonly eventTimestamps: Readonly<Record<string, Date | null>>
  /** Views answered from an expired cache entry because the online store did not answer. */
  readonly staleViews: readonly string[]
  /** Views whose row was not in the online store and was looked up in the history. */
  readonly historyViews: readonly string[]
}

export function readVector(answerLayout: AnswerLayout, bytes: Buffer): FeatureRow {
  const { layout, names, types, blankValues } = answerLayout
  const values: Record<string, PlainValue> = { ...blankValues }
  const eventTimestamps: Record<string, Date | null> = {}
  const staleViews: string[] = []
  const historyViews: string[] = []
  let statusBytes: Buffer | undefined
  let column = 0
  let view = 0
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field === 1) {
      const type = types[column]!
      // The value is read in place: a view of the bytes of each would cost more than reading most of them.
      reader.end = reader.readLength() + reader.position
      values[names[column]!] = toPlain(type, readValue(type, reader))
      reader.end = bytes.length
      column++
    } else if (reader.field === 2) statusBytes = reader.readBytes()
    else if (reader.field === 3) {
      for (const micros of readTimestamps(reader)) {
        eventTimestamps[layout.views[view++]!] = micros === 0 ? null : new Date(micros / 1000)
      }
    } else if (reader.field === 4) staleViews.push(...readIndexes(reader).map((index) => layout.views[index]!))
    else if (reader.field === 5) historyViews.push(...readIndexes(reader).map((index) => layout.views[index]!))
    else reader.skip()
  }
  return { values, statuses: readStatuses(answerLayout, statusBytes), eventTimestamps, staleViews, historyViews }
}

function readStatuses({ names, allPresent }: AnswerLayout, bytes: Buffer | undefined): FeatureRow['statuses'] {
  if (bytes === undefined || bytes.length === 0) return allPresent
  const statuses: Record<string, SlotStatusName> = { ...allPresent }
  for (const [index, name] of names.entries()) statuses[name] = statusName(bytes[index] ?? 1) as SlotStatusName
  return statuses
}

/** Packed or not, as protobuf allows both. */
function readTimestamps(reader: WireReader): number[] {
  if (reader.wireType !== WIRE_LENGTH) {
    reader.readFixed64()
    return [reader.signedNumber()]
  }
  const packed = new WireReader(reader.readBytes())
  const micros: number[] = []
  while (packed.position < packed.end) {
    packed.readFixed64()
    micros.push(packed.signedNumber())
  }
  return micros
}

function readIndexes(reader: WireReader): number[] {
  if (reader.wireType !== WIRE_LENGTH) return [reader.readUint32()]
  const packed = new WireReader(reader.readBytes())
  const indexes: number[] = []
  while (packed.position < packed.end) indexes.push(packed.readUint32())
  return indexes
}
