/**
 * What names a data set to a reader whose stream broke, so that it gets the rest and not something else.
 *
 * The token says what the data set is: what was asked for (by digest), the definitions and table versions it was made at, and the
 * SHA-256 of all its bytes. A server that still has the file goes on with it; any other one of the same stores makes it again at
 * those versions, and compares before it sends the first byte. A token is no secret and gives no rights: it holds
 * nothing that could not be asked for without it.
 */
import { createHash } from 'node:crypto'
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'

export interface ResumeToken {
  readonly tokenFormat: 1
  /** The data set's name in the server that made it. */
  readonly id: string
  /** Digest of what was asked for, as far as it decides the bytes. */
  readonly asked: string
  readonly fingerprint: string
  /** Table versions by view; -1 for a table that was not there yet. */
  readonly tables: Readonly<Record<string, number>>
  /** Of an export of a service: the version of the table whose rows are its spine. */
  readonly spineTable?: number
  /** Of a training set: what makes it again from its spine. */
  readonly pinJson?: string
  readonly sha256: string
  readonly rows: number
  /** Name and version of the engine that wrote the bytes. */
  readonly engine: string
}

/** Where a reader goes on. */
export interface ResumePoint {
  readonly token: ResumeToken
  /** The bytes of the content that it has. */
  readonly receivedBytes: number
}

/** The same, as it comes in a request. */
export interface ResumeCall {
  readonly token: string
  readonly receivedBytes: bigint
}

/** Larger ones were not made here: a token has a name per view of a service and a pin at the most. */
const TOKEN_CHARS_MAX = 256 * 1024

export function encodeToken(token: ResumeToken): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

/** Digest of a request; bigints are as their decimals. */
export function askedDigest(request: object): string {
  const text = JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return createHash('sha256').update(text).digest('hex')
}

/** INVALID_ARGUMENT if it is no token, or one of another request. */
export function checkedResume({ token: text, receivedBytes }: ResumeCall, asked: string): ResumePoint {
  const token = parsedToken(text)
  if (token.asked !== asked) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      'resume.token is of another request: send the request that the stream was begun with, or begin anew without resume',
    )
  }
  if (receivedBytes < 0n || receivedBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TwinstoreError('INVALID_ARGUMENT', `resume.received_bytes ${receivedBytes} is not a number of bytes`)
  }
  return { token, receivedBytes: Number(receivedBytes) }
}

/** FAILED_PRECONDITION if what was made again is not, byte by byte, what the reader has a part of. */
export function refuseOtherBytes(token: ResumeToken, made: { readonly sha256: string; readonly engine: string }): void {
  if (made.sha256 === token.sha256) return
  const why =
    made.engine === token.engine
      ? `what was made again has SHA-256 ${made.sha256}, the data set of the token ${token.sha256}`
      : `it was written by ${token.engine} and this server runs ${made.engine}, whose files differ in their bytes`
  throw new TwinstoreError('FAILED_PRECONDITION', `the data set cannot be resumed: ${why}; begin anew without resume`)
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value.length > 0
const isVersion: Check = (value) => Number.isSafeInteger(value) && (value as number) >= -1
const isDigest: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

const MEMBERS: Readonly<Record<keyof ResumeToken, Check>> = {
  tokenFormat: (value) => value === 1,
  id: isText,
  asked: isDigest,
  fingerprint: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
  tables: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isVersion),
  spineTable: orAbsent(isVersion),
  pinJson: orAbsent(isText),
  sha256: isDigest,
  rows: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  engine: isText,
}

function parsedToken(text: string): ResumeToken {
  const token = text.length > TOKEN_CHARS_MAX ? undefined : parsedJson(Buffer.from(text, 'base64url').toString('utf8'))
  if (typeof token !== 'object' || token === null) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'resume.token is not a token of a DatasetHeader')
  }
  const members = token as Readonly<Record<string, unknown>>
  const faults: Fault[] = Object.entries(MEMBERS)
    .filter(([name, check]) => !check(members[name]))
    .map(([name]) => ({ at: `resume.token.${name}`, problem: 'missing or not what it must be' }))
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'resume.token is not one that Twinstore wrote:', faults)
  return token as ResumeToken
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
