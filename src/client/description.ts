/** The server's definitions, fetched once and again after a sign that they changed. */
import type { ColumnSchema, Description, ViewDescription } from '../domain/description.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { parseTypeName, type ValueType } from '../domain/value-type.ts'
import { didYouMean } from '../lib/nearest-name.ts'
import { decodeMessage, methodPath } from './protocol.ts'
import type { Transport } from './transport.ts'

export class DescriptionCache {
  readonly #transport: Transport
  #cached: Promise<Description> | undefined

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** As the server has them now. */
  async fetch(): Promise<Description> {
    const answer = await this.#transport.unary(methodPath('Admin', 'Describe'), Buffer.alloc(0))
    return decodeMessage<Description>('DescribeResponse', answer)
  }

  /** As last fetched. */
  get(): Promise<Description> {
    if (this.#cached === undefined) {
      const fetched = this.fetch()
      this.#cached = fetched
      fetched.catch(() => this.forget())
    }
    return this.#cached
  }

  /** To be called when an answer shows that the definitions may have changed. */
  forget(): void {
    this.#cached = undefined
  }

  /** NOT_FOUND, with the nearest known name, if the server has no such view; it is asked again before that is said. */
  async view(name: string): Promise<ViewDescription> {
    const known = (await this.get()).views.find((view) => view.name === name)
    if (known !== undefined) return known
    this.forget()
    const { views } = await this.get()
    const found = views.find((view) => view.name === name)
    if (found !== undefined) return found
    const nearest = didYouMean(
      name,
      views.map((view) => view.name),
    )
    throw new TwinstoreError('NOT_FOUND', `unknown feature view ${JSON.stringify(name)}${nearest}`)
  }
}

/** The types of a schema's columns by name. */
export function columnTypes(columns: readonly ColumnSchema[]): Map<string, ValueType> {
  const types = new Map<string, ValueType>()
  for (const column of columns) {
    const type = parseTypeName(column.type)
    if (type !== undefined) types.set(column.name, type)
  }
  return types
}
