/**
 * `GetFeaturesResponse` bytes as JSON text, written straight from the bytes: no object per row or value.
 *
 * A large answer is written in slices, between which other requests get their turn. Bound: `answerBytesMax` characters.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import { SlotStatus, statusName } from '../../domain/outcome.ts'
import { WIRE_LENGTH, WireReader } from '../../lib/wire.ts'
import { type AnswerLayout, readLayout } from './answer-layout.ts'
import type { KnownSelection } from './selection.ts'
import { timestampText } from './timestamp-text.ts'
import { valueJson } from './value-json.ts'

/** Some 2 ms of work at the measured 230 MB/s, of which a third is making digits of numbers. */
const SLICE_CHARS = 500_000

const RESPONSE = { layoutId: 1, layout: 2, vectors: 3 }
const VECTOR = { values: 1, statuses: 2, eventTimestamps: 3, staleViews: 4, historyViews: 5 }

/** A promise only for an answer of more than one slice. The layout is left with the selection, for its next request. */
export function featureAnswerJson(
  bytes: Buffer,
  selection: KnownSelection,
  answerBytesMax: number,
): string | Promise<string> {
  const writer = new AnswerWriter(bytes, selection, answerBytesMax)
  return writer.writeSlice() ? writer.text : writeRest(writer)
}

async function writeRest(writer: AnswerWriter): Promise<string> {
  do await immediate()
  while (!writer.writeSlice())
  return writer.text
}

class AnswerWriter {
  text = ''
  readonly #reader: WireReader
  /** Of the vector that is being written, and of one value in it. */
  readonly #vector: WireReader
  readonly #value: WireReader
  readonly #selection: KnownSelection
  readonly #charsMax: number
  #layout: AnswerLayout | undefined
  #rows = 0
  readonly #lastTimes: { micros: number; text: string }[] = []

  constructor(bytes: Buffer, selection: KnownSelection, charsMax: number) {
    this.#reader = new WireReader(bytes)
    this.#vector = new WireReader(bytes)
    this.#value = new WireReader(bytes)
    this.#selection = selection
    this.#charsMax = charsMax
    this.#layout = selection.layout
  }

  /** Whether that was the last one. */
  writeSlice(): boolean {
    const reader = this.#reader
    const sliceEnd = this.text.length + SLICE_CHARS
    while (this.text.length < sliceEnd) {
      if (!reader.next()) {
        this.text += this.#rows === 0 ? `${this.#head()}]}` : ']}'
        return true
      }
      if (reader.field === RESPONSE.layout) {
        this.#layout = readLayout(reader.readBytes())
        this.#selection.layout = this.#layout
      } else if (reader.field === RESPONSE.vectors) {
        const end = reader.readLength() + reader.position
        this.text += this.#rows++ === 0 ? this.#head() : ','
        this.#writeVector(reader.position, end)
        reader.position = end
        this.#checkLength()
      } else reader.skip()
    }
    return false
  }

  #head(): string {
    return `{"fingerprint":${JSON.stringify(this.#layout?.fingerprint ?? '')},"rows":[`
  }

  #writeVector(start: number, end: number): void {
    const { columns, timestamps } = this.#layout!
    const vector = this.#vector
    const value = this.#value
    vector.position = start
    vector.end = end
    let text = '{"values":{'
    let column = 0
    let statuses: Buffer | undefined
    let times = ''
    let stale = ''
    let history = ''
    while (vector.next()) {
      switch (vector.field) {
        case VECTOR.values:
          value.end = vector.readLength() + vector.position
          value.position = vector.position
          text += columns[column++]! + valueJson(value)
          vector.position = value.end
          break
        case VECTOR.statuses:
          statuses = vector.readBytes()
          break
        case VECTOR.eventTimestamps: {
          const timesEnd = vector.readLength() + vector.position
          for (let view = 0; vector.position < timesEnd; view++) {
            vector.readFixed64()
            times += timestamps[view]! + this.#timeJson(view, vector.signedNumber())
          }
          break
        }
        case VECTOR.staleViews:
          stale = this.#viewsJson(vector)
          break
        case VECTOR.historyViews:
          history = this.#viewsJson(vector)
          break
        default:
          vector.skip()
      }
    }
    this.text += `${text}},"statuses":{${this.#statusesJson(statuses)}},"event_timestamps":{${times}}`
    if (stale !== '') this.text += `,"stale_views":[${stale}]`
    if (history !== '') this.text += `,"history_views":[${history}]`
    this.text += '}'
  }

  /** Those that are not PRESENT. */
  #statusesJson(statuses: Buffer | undefined): string {
    if (statuses === undefined) return ''
    const { names } = this.#layout!
    let text = ''
    for (let column = 0; column < statuses.length; column++) {
      const status = statuses[column]!
      if (status === SlotStatus.PRESENT) continue
      text += `${text === '' ? '' : ','}${names[column]}"${statusName(status)}"`
    }
    return text
  }

  /** Rows of a view often have the time of the row before them. */
  #timeJson(view: number, micros: number): string {
    if (micros === 0) return 'null'
    const last = this.#lastTimes[view]
    if (last?.micros === micros) return last.text
    const text = `"${timestampText(micros)}"`
    this.#lastTimes[view] = { micros, text }
    return text
  }

  /** Indexes, packed or not. */
  #viewsJson(vector: WireReader): string {
    const { views } = this.#layout!
    if (vector.wireType !== WIRE_LENGTH) return views[vector.readUint32()]!
    const end = vector.readLength() + vector.position
    let text = ''
    while (vector.position < end) text += `${text === '' ? '' : ','}${views[vector.readUint32()]}`
    return text
  }

  #checkLength(): void {
    if (this.text.length <= this.#charsMax) return
    throw new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `the answer would be larger than ${this.#charsMax} bytes (option http-answer-bytes-max); ask for fewer rows or features`,
    )
  }
}
