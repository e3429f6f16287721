/** GetFeatures: requests from plain values, and answers by layouts that are remembered per selection. */
import { TwinstoreError } from '../domain/errors.ts'
import type { ValueType } from '../domain/value-type.ts'
import { lengthField, varintField } from '../lib/wire.ts'
import type { AnswerLayout, Layout } from './answer-layout.ts'
import { encodeColumns, rowsToColumns } from './columns.ts'
import { columnTypes, type DescriptionCache } from './description.ts'
import { readAnswer } from './feature-answer.ts'
import { type FeatureTensor, readTensor } from './feature-tensor.ts'
import { type FeatureRow, readVector } from './feature-vector.ts'
import { methodPath, readingAnswer } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export type { SlotStatusName } from './answer-layout.ts'
export type { FeatureTensor } from './feature-tensor.ts'
export type { FeatureRow } from './feature-vector.ts'

export interface FeatureRequest extends CallOptions {
  /** The name of a feature service; or `features`. */
  readonly service?: string
  /** References `view:feature` or `view:*`. */
  readonly features?: readonly string[]
  /** Entity rows as objects, or as columns of equal length. */
  readonly entities: readonly Readonly<Record<string, unknown>>[] | Readonly<Record<string, readonly unknown[]>>
  /** Request features of on-demand views: a value for all rows, or a list with one per row. */
  readonly request?: Readonly<Record<string, unknown>>
  /** CACHED unless given. */
  readonly consistency?: 'CACHED' | 'FRESH'
  readonly format?: 'values' | 'tensor'
}

/** One row per entity row, in the request's order. */
export interface FeatureVectors {
  readonly layout: Layout
  readonly rows: readonly FeatureRow[]
}

/** A request as bytes, with what its answer is read by. */
export interface EncodedRequest {
  readonly bytes: Buffer
  /** What it selects. */
  readonly key: string
  /** The layout that its answer may leave out. */
  readonly known: AnswerLayout | undefined
}

const CONSISTENCY = { CACHED: 1, FRESH: 2 }
const FORMAT = { values: 1, tensor: 2 }
/** Layouts of this many selections are remembered; a program that makes up more than that gains nothing from it. */
const LAYOUTS_MAX = 1000

export class FeatureReader {
  readonly #transport: Transport
  readonly #descriptions: DescriptionCache
  readonly #layouts = new Map<string, AnswerLayout>()

  constructor(transport: Transport, descriptions: DescriptionCache) {
    this.#transport = transport
    this.#descriptions = descriptions
  }

  async getFeatures(request: FeatureRequest): Promise<FeatureVectors | FeatureTensor> {
    const asked = await this.encode(request)
    return this.read(asked, await this.#transport.unary(methodPath('Serving', 'GetFeatures'), asked.bytes, request))
  }

  async encode(request: FeatureRequest): Promise<EncodedRequest> {
    const selection = encodeSelection(request)
    const key = selection.toString('latin1')
    const body = Buffer.concat([
      selection,
      ...encodeColumns(requestColumns(request), await this.#types(request)).map((column) => lengthField(3, column)),
      varintField(4, CONSISTENCY[request.consistency ?? 'CACHED']),
      varintField(5, FORMAT[request.format ?? 'values']),
    ])
    const known = this.#layouts.get(key)
    return { key, known, bytes: known === undefined ? body : Buffer.concat([body, knownLayoutField(known.layout)]) }
  }

  /** The answer to a request that `encode` made. */
  read({ key, known }: EncodedRequest, answerBytes: Buffer): FeatureVectors | FeatureTensor {
    const answer = readingAnswer(() => readAnswer(answerBytes))
    const layout = answer.layout ?? known
    if (layout === undefined || layout.layout.id !== answer.layoutId) {
      throw new TwinstoreError('DATA_LOSS', `the server answered with layout ${answer.layoutId} and did not send it`)
    }
    if (answer.layout !== undefined) this.#remember(key, answer.layout, known)
    return readingAnswer(() => {
      if (answer.tensor !== undefined) return readTensor(layout, answer.tensor)
      return { layout: layout.layout, rows: answer.vectors.map((vector) => readVector(layout, vector)) }
    })
  }

  #remember(key: string, layout: AnswerLayout, before: AnswerLayout | undefined): void {
    if (this.#layouts.size >= LAYOUTS_MAX) this.#layouts.clear()
    this.#layouts.set(key, layout)
    if (before !== undefined) this.#descriptions.forget()
  }

  /** Column types as the definitions have them, so that 45 is right for an int64 and for a double. */
  async #types(request: FeatureRequest): Promise<ReadonlyMap<string, ValueType>> {
    const { services, views, onDemandViews } = await this.#descriptions.get()
    const service = services.find((candidate) => candidate.name === request.service)
    if (service !== undefined) return columnTypes([...service.entityColumns, ...service.requestColumns])
    const used = new Set(request.features?.map((reference) => reference.split(':')[0]!))
    return columnTypes([
      ...views.filter((view) => used.has(view.name)).flatMap((view) => view.joinKeys),
      ...onDemandViews.filter((view) => used.has(view.name)).flatMap((view) => view.request),
    ])
  }
}

function encodeSelection(request: FeatureRequest): Buffer {
  if ((request.service === undefined) === (request.features === undefined)) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'ask for either `service` or `features`')
  }
  if (request.service !== undefined) return lengthField(1, Buffer.from(request.service))
  const references = request.features!.map((reference) => lengthField(1, Buffer.from(reference)))
  return lengthField(2, Buffer.concat(references))
}

function requestColumns(request: FeatureRequest): Map<string, readonly unknown[]> {
  const columns: Map<string, readonly unknown[]> = isRows(request.entities)
    ? rowsToColumns(request.entities)
    : new Map(Object.entries(request.entities))
  const rowCount = isRows(request.entities) ? request.entities.length : (columns.values().next().value?.length ?? 0)
  for (const [name, value] of Object.entries(request.request ?? {})) {
    columns.set(name, Array.isArray(value) ? value : Array.from({ length: rowCount }, () => value))
  }
  return columns
}

function isRows(entities: FeatureRequest['entities']): entities is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(entities)
}

/** `fixed64 known_layout = 6`. */
function knownLayoutField(layout: Layout): Buffer {
  const field = Buffer.alloc(9)
  field[0] = (6 << 3) | 1
  field.writeBigUInt64LE(BigInt(layout.id), 1)
  return field
}
