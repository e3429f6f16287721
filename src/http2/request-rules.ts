/**
 * Whether a header list is that of a request, or of trailers (RFC 9113, section 8.2 and 8.3). What is not is malformed, and its stream is
 * reset with PROTOCOL_ERROR.
 */
import type { HeaderList } from './hpack/header-list.ts'

const REQUIRED = [':method', ':scheme', ':path']
const PSEUDO = new Set([...REQUIRED, ':authority'])
/** Section 8.2.2. */
const CONNECTION_SPECIFIC = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])
/** Section 8.2.1: no controls, no space, no upper case, no colon but at the beginning of a pseudo-header. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/

export interface RequestRules {
  /** What is wrong with the list as the headers of a request; undefined if nothing is. */
  readonly fault: string | undefined
  /** The value of content-length; undefined without one. */
  readonly contentLength: number | undefined
}

const rulesByList = new WeakMap<HeaderList, RequestRules>()

/** Checked once for all the requests whose headers are the same bytes. */
export function requestRules(headers: HeaderList): RequestRules {
  let rules = rulesByList.get(headers)
  if (rules === undefined) {
    const length = contentLength(headers)
    const fault = headers.isTooLarge ? undefined : requestFault(headers)
    rules = { fault: Number.isNaN(length) ? 'content-length is no number' : fault, contentLength: length }
    rulesByList.set(headers, rules)
  }
  return rules
}

function requestFault({ fields }: HeaderList): string | undefined {
  const seen = new Set<string>()
  let arePseudoOver = false
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!
    const value = fields[index + 1]!
    if (name.startsWith(':')) {
      if (arePseudoOver) return `${name} follows a header that is none of :method, :scheme, :path and :authority`
      if (!PSEUDO.has(name)) return `${name} is no header of a request`
      if (seen.has(name)) return `${name} occurs twice`
      seen.add(name)
      if (name === ':path' && value === '') return ':path is empty'
    } else arePseudoOver = true
    const fault = fieldFault(name, value)
    if (fault !== undefined) return fault
  }
  const missing = REQUIRED.find((name) => !seen.has(name))
  return missing === undefined ? undefined : `${missing} is missing`
}

export function trailersFault({ fields }: HeaderList): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!
    if (name.startsWith(':')) return `${name} must not be among trailers`
    const fault = fieldFault(name, fields[index + 1]!)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** NaN if it is no number. */
function contentLength({ fields }: HeaderList): number | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === 'content-length')
      return /^\d{1,15}$/.test(fields[index + 1]!) ? Number(fields[index + 1]) : NaN
  }
  return undefined
}

function fieldFault(name: string, value: string): string | undefined {
  if (!NAME.test(name)) return `${JSON.stringify(name)} is no name of a header`
  if (CONNECTION_SPECIFIC.has(name)) return `${name} must not be in HTTP/2`
  if (name === 'te' && value !== 'trailers') return 'te says something else than trailers'
  if (BAD_VALUE.test(value)) return `the value of ${name} has a character that no header may have there`
  return undefined
}
