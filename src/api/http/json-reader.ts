/**
 * JSON text, pulled apart by somebody who knows what should be there; RFC 8259, nothing beyond it.
 *
 * Numbers come out as they were written, so that an int64 keeps all of its digits (`JSON.parse` makes a double of it before anybody is
 * asked). No objects are made: a member is a name and a place to read on, so that `__proto__` is a name like any other, and what a
 * caller does not ask for is not kept. One pass, no recursion but in `skip`, whose depth is bounded.
 *
 * `enterObject` and `nextName`, or `enterArray` and `nextItem`, walk a container; after each name or item exactly one value
 * must be read or skipped.
 */
import { TwinstoreError } from '../../domain/errors.ts'

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

const KINDS: Readonly<Record<string, JsonKind>> = {
  '{': 'object',
  '[': 'array',
  '"': 'string',
  '-': 'number',
  t: 'boolean',
  f: 'boolean',
  n: 'null',
  ...Object.fromEntries([...'0123456789'].map((digit) => [digit, 'number' as const])),
}

/** A request's own depth is 4: body, rows, row, list. */
const DEPTH_MAX = 32
const SHOWN_LENGTH_MAX = 40

const SPACE = /[ \t\r\n]*/y
/** All but quotes, backslashes and control characters. */
const PLAIN_STRING = /[ !#-[\]-\uffff]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

export class JsonReader {
  readonly #text: string
  /** Of the next character; may be set to where a value began, to read it once more. */
  position = 0
  /** Whether a container was entered and nothing of it has been read. */
  #atBegin = false

  constructor(text: string) {
    this.#text = text
  }

  /** What comes next; INVALID_ARGUMENT if it is no value. */
  kind(): JsonKind {
    this.#skipSpace()
    return KINDS[this.#text.charAt(this.position)] ?? this.#refuse('expected a value')
  }

  enterObject(): void {
    this.#take('{', 'an object')
    this.#atBegin = true
  }

  /** The name of the next member, whose value comes next; undefined at the end of the object. */
  nextName(): string | undefined {
    if (!this.#goesOn('}')) return undefined
    this.#skipSpace()
    const name = this.string()
    this.#take(':', 'a colon')
    return name
  }

  enterArray(): void {
    this.#take('[', 'an array')
    this.#atBegin = true
  }

  /** Whether another item comes next; false at the end of the array. */
  nextItem(): boolean {
    return this.#goesOn(']')
  }

  string(): string {
    this.#take('"', 'a string')
    const begin = this.position
    let end = this.#match(PLAIN_STRING, begin)
    if (this.#text.charCodeAt(end) === 0x22) {
      this.position = end + 1
      return this.#text.slice(begin, end)
    }
    while (this.#text.charCodeAt(end) === 0x5c) end = this.#match(PLAIN_STRING, end + 2)
    if (end >= this.#text.length) this.#refuse('the string that begins here has no end', begin - 1)
    if (this.#text.charCodeAt(end) !== 0x22) this.#refuse('control characters in strings are written as \\u00..', end)
    this.position = end + 1
    try {
      return JSON.parse(this.#text.slice(begin - 1, end + 1)) as string
    } catch {
      return this.#refuse('the string that begins here has a wrong escape', begin - 1)
    }
  }

  /** As it was written. */
  number(): string {
    this.#skipSpace()
    const end = this.#match(NUMBER, this.position)
    if (end === this.position) this.#refuse('expected a number')
    const text = this.#text.slice(this.position, end)
    this.position = end
    return text
  }

  boolean(): boolean {
    this.#skipSpace()
    const isTrue = this.#text.charCodeAt(this.position) === 0x74
    this.#word(isTrue ? 'true' : 'false')
    return isTrue
  }

  null(): void {
    this.#skipSpace()
    this.#word('null')
  }

  skip(depth = 0): void {
    switch (this.kind()) {
      case 'object':
        this.#checkDepth(depth)
        this.enterObject()
        while (this.nextName() !== undefined) this.skip(depth + 1)
        break
      case 'array':
        this.#checkDepth(depth)
        this.enterArray()
        while (this.nextItem()) this.skip(depth + 1)
        break
      case 'string':
        this.string()
        break
      case 'number':
        this.number()
        break
      case 'boolean':
        this.boolean()
        break
      default:
        this.null()
    }
  }

  /** Skips the next value, and says in a few words what it was. */
  skipped(): string {
    const kind = this.kind()
    const begin = this.position
    this.skip()
    if (kind === 'null') return 'null'
    if (kind === 'object' || kind === 'array') return `an ${kind}`
    const text = this.#text.slice(begin, Math.min(this.position, begin + SHOWN_LENGTH_MAX))
    return `${kind} ${text}${this.position - begin > SHOWN_LENGTH_MAX ? '...' : ''}`
  }

  /** INVALID_ARGUMENT if anything follows. */
  end(): void {
    this.#skipSpace()
    if (this.position < this.#text.length) this.#refuse('something follows the end of the JSON text')
  }

  #goesOn(close: string): boolean {
    this.#skipSpace()
    const next = this.#text.charAt(this.position)
    const atBegin = this.#atBegin
    this.#atBegin = false
    if (next === close) {
      this.position++
      return false
    }
    if (atBegin) return true
    if (next !== ',') this.#refuse(`expected a comma or ${close}`)
    this.position++
    return true
  }

  #take(character: string, what: string): void {
    this.#skipSpace()
    if (this.#text.charAt(this.position) !== character) this.#refuse(`expected ${what}`)
    this.position++
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.position)) this.#refuse(`expected ${word}`)
    this.position += word.length
  }

  #checkDepth(depth: number): void {
    if (depth >= DEPTH_MAX) this.#refuse(`nested more than ${DEPTH_MAX} deep`)
  }

  #skipSpace(): void {
    // No blank has a greater number than the space; most of the time there is none, and a match costs more than this look.
    if (this.#text.charCodeAt(this.position) <= 0x20) this.position = this.#match(SPACE, this.position)
  }

  /** Where the match ends that begins at `from`; `from` itself if there is none. */
  #match(pattern: RegExp, from: number): number {
    pattern.lastIndex = from
    return pattern.test(this.#text) ? pattern.lastIndex : from
  }

  #refuse(problem: string, at = this.position): never {
    const before = this.#text.slice(0, at)
    const line = before.split('\n').length
    const column = at - before.lastIndexOf('\n')
    const found = at < this.#text.length ? `found ${JSON.stringify(this.#text.charAt(at))}` : 'the text ends'
    const message = `the body is not JSON as it should be: line ${line}, column ${column}: ${problem}, ${found}`
    throw new TwinstoreError('INVALID_ARGUMENT', message)
  }
}
