/** A request's JSON body: an object of known members, each at most once. */
import { isUtf8 } from 'node:buffer'
import { TwinstoreError } from '../../domain/errors.ts'
import { knownNames, quotedName } from '../../lib/nearest-name.ts'
import { JsonReader } from './json-reader.ts'

/** INVALID_ARGUMENT if the bytes are not UTF-8. */
export function jsonReader(body: Buffer): JsonReader {
  if (!isUtf8(body)) throw new TwinstoreError('INVALID_ARGUMENT', 'the body is not UTF-8, which JSON has to be')
  return new JsonReader(body.toString('utf8'))
}

/**
 * Where the value of each member begins; the whole body has been read once then. So that members can be read in the order in which they
 * are understood, whatever their order in the body: the view's name before its rows.
 */
export function memberPositions<Name extends string>(
  json: JsonReader,
  known: readonly Name[],
): ReadonlyMap<Name, number> {
  const positions = new Map<Name, number>()
  json.enterObject()
  for (let name = json.nextName(); name !== undefined; name = json.nextName()) {
    if (!(known as readonly string[]).includes(name))
      throw invalid(`unknown field ${quotedName(name)}${knownNames(name, known)}`)
    if (positions.has(name as Name)) throw invalid(`field ${name} is given twice`)
    positions.set(name as Name, json.position)
    json.skip()
  }
  json.end()
  return positions
}

/** Reads single members of a body, in any order. */
export class Members<Name extends string> {
  readonly #json: JsonReader
  readonly #positions: ReadonlyMap<Name, number>

  constructor(json: JsonReader, known: readonly Name[]) {
    this.#json = json
    this.#positions = memberPositions(json, known)
  }

  has(name: Name): boolean {
    return this.#positions.has(name)
  }

  /** The reader, before the value of the member; undefined if the body does not have it, or it is null. */
  at(name: Name): JsonReader | undefined {
    const position = this.#positions.get(name)
    if (position === undefined) return undefined
    this.#json.position = position
    return this.#json.kind() === 'null' ? undefined : this.#json
  }

  string(name: Name): string | undefined {
    const json = this.at(name)
    if (json === undefined) return undefined
    return json.kind() === 'string' ? json.string() : this.refuse(name, 'a string')
  }

  strings(name: Name): string[] | undefined {
    const json = this.at(name)
    if (json === undefined) return undefined
    if (json.kind() !== 'array') this.refuse(name, 'an array of strings')
    const items: string[] = []
    json.enterArray()
    while (json.nextItem()) {
      if (json.kind() !== 'string') throw invalid(`${name}[${items.length}]: expected a string, got ${json.skipped()}`)
      items.push(json.string())
    }
    return items
  }

  boolean(name: Name): boolean | undefined {
    const json = this.at(name)
    if (json === undefined) return undefined
    return json.kind() === 'boolean' ? json.boolean() : this.refuse(name, 'true or false')
  }

  /** As it was written; a string of digits too. */
  integer(name: Name): bigint | undefined {
    const json = this.at(name)
    if (json === undefined) return undefined
    const kind = json.kind()
    const text = kind === 'number' ? json.number() : kind === 'string' ? json.string() : this.refuse(name, 'an integer')
    if (!/^-?[0-9]{1,19}$/.test(text)) throw invalid(`${name}: expected an integer, got ${text.slice(0, 40)}`)
    return BigInt(text)
  }

  choice<Choice extends string>(name: Name, choices: readonly Choice[]): Choice | undefined {
    const text = this.string(name)
    if (text === undefined || (choices as readonly string[]).includes(text)) return text as Choice | undefined
    throw invalid(`${name}: expected ${choices.join(' or ')}, got ${quotedName(text)}`)
  }

  /** To be called before the value of the member is read. */
  refuse(name: Name, expected: string): never {
    throw invalid(`${name}: expected ${expected}, got ${this.at(name)?.skipped() ?? 'null'}`)
  }
}

function invalid(problem: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', problem)
}
