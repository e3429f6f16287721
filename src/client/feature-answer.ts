/** `GetFeaturesResponse` taken apart, its parts still encoded. */
import { WireReader } from '../lib/wire.ts'
import { type AnswerLayout, readLayout } from './answer-layout.ts'

export interface RawAnswer {
  readonly layoutId: string
  /** If the answer brought it. */
  readonly layout: AnswerLayout | undefined
  readonly vectors: readonly Buffer[]
  readonly tensor: Buffer | undefined
}

export function readAnswer(bytes: Buffer): RawAnswer {
  let layoutId = '0'
  let layout: AnswerLayout | undefined
  let tensor: Buffer | undefined
  const vectors: Buffer[] = []
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field === 1) {
      reader.readFixed64()
      layoutId = ((BigInt(reader.high) << 32n) | BigInt(reader.low)).toString()
    } else if (reader.field === 2) layout = readLayout(reader.readBytes())
    else if (reader.field === 3) vectors.push(reader.readBytes())
    else if (reader.field === 4) tensor = reader.readBytes()
    else reader.skip()
  }
  return { layoutId, layout, vectors, tensor }
}
