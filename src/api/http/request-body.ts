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
 * Reads the members of a body, in the order in which they are asked for: the name of a view before its rows, wherever they stand.
 *
 * A body is gone through as far as what is asked for; members on the way are skipped, and read later from where they are. So a body whose
 * members come in the order in which they are understood is read once. `end` looks at the rest.
 */
export class Members<Name extends string> {
  readonly #json: JsonReader
  readonly #known: readonly Name[]
  /** Where the values of those that were met begin. */
  readonly #positions = new Map<Name, number>()
  /** Where the search goes on; undefined: where the reader is, once the value that was found last has been read. */
  #frontier: number | undefined
  #isAtEnd = false

  constructor(json: JsonReader, known: readonly Name[]) {
    this.#json = json
    this.#known = known
    json.enterObject()
  }

  /** The reader, before the value of the member, which must be read next; undefined if the body does not have it, or it is null. */
  at(name: Name): JsonReader | undefined {
    const json = this.#json
    const met = this.#positions.get(name)
    if (met !== undefined) {
      this.#frontier ??= json.position
      json.position = met
    } else if (!this.#find(name)) return undefined
    if (json.kind() !== 'null') return json
    json.null()
    return undefined
  }

  /** INVALID_ARGUMENT if there are members that nobody knows, or anything behind the body. */
  end(): void {
    this.#find(undefined)
    this.#json.end()
  }

  #find(wanted: Name | undefined): boolean {
    const json = this.#json
    if (this.#frontier !== undefined) json.position = this.#frontier
    this.#frontier = undefined
    for (let name = this.#next(); name !== undefined; name = this.#next()) {
      this.#positions.set(name, json.position)
      if (name === wanted) return true
      json.skip()
    }
    return false
  }

  #next(): Name | undefined {
    if (this.#isAtEnd) return undefined
    const name = this.#json.nextName()
    if (name === undefined) {
      this.#isAtEnd = true
      return undefined
    }
    if (!(this.#known as readonly string[]).includes(name)) {
      throw invalid(`unknown field ${quotedName(name)}${knownNames(name, this.#known)}`)
    }
    if (this.#positions.has(name as Name)) throw invalid(`field ${name} is given twice`)
    return name as Name
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
