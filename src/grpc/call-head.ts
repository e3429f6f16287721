/**
 * What the headers of a request say about the call. Requests with the same header bytes share one list (see `HeaderDecoder`), so
 * this is read once for all of them.
 */
import type { HeaderList } from '../http2/hpack/header-list.ts'
import { type Metadata, readMetadata } from './metadata.ts'
import { type CallStatus, STATUS } from './status.ts'

export interface CallHead {
  readonly path: string
  /** Of all headers, by the measure of SETTINGS_MAX_HEADER_LIST_SIZE. They are kept as long as the call. */
  readonly bytes: number
  /** Infinite without grpc-timeout. */
  readonly timeoutMs: number
  /** Of the request's messages: `identity`, `gzip` or `deflate`. */
  readonly encoding: string
  readonly acceptsGzip: boolean
  readonly metadata: Metadata
  /** What is no gRPC call gets an HTTP status; what is a bad one a gRPC status. */
  readonly refusal: { readonly http: string } | { readonly status: CallStatus } | undefined
}

export const ENCODINGS = ['identity', 'gzip', 'deflate']
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

export function callHead(list: HeaderList): CallHead {
  if (list.memo === undefined) list.memo = readHead(list)
  return list.memo as CallHead
}

function readHead(list: HeaderList): CallHead {
  const { fields } = list
  const value = (name: string): string | undefined => {
    const at = fields.findIndex((field, index) => index % 2 === 0 && field === name)
    return at < 0 ? undefined : fields[at + 1]
  }
  const timeoutMs = readTimeout(value('grpc-timeout'))
  const encoding = value('grpc-encoding') ?? 'identity'
  let metadata: Metadata | undefined
  return {
    path: value(':path') ?? '',
    bytes: list.bytes,
    timeoutMs,
    encoding,
    acceptsGzip: (value('grpc-accept-encoding') ?? '').split(',').some((each) => each.trim() === 'gzip'),
    // For those who ask: few methods do, and a client may send much of it.
    get metadata() {
      metadata ??= readMetadata(fields)
      return metadata
    },
    refusal: refusal(list, value, timeoutMs, encoding),
  }
}

function refusal(
  list: HeaderList,
  value: (name: string) => string | undefined,
  timeoutMs: number,
  encoding: string,
): CallHead['refusal'] {
  if (list.isTooLarge) {
    const details = `the call's headers have ${list.bytes} bytes, more than http2-header-list-bytes-max allows`
    return { status: { code: STATUS.resourceExhausted, details } }
  }
  if (value(':method') !== 'POST') return { http: '405' }
  const type = value('content-type')
  if (type === undefined || !/^application\/grpc($|[+;])/.test(type)) return { http: '415' }
  if (Number.isNaN(timeoutMs)) {
    const details = `grpc-timeout is ${JSON.stringify(value('grpc-timeout'))}: 1 to 8 digits and one of H, M, S, m, u, n`
    return { status: { code: STATUS.internal, details } }
  }
  if (!ENCODINGS.includes(encoding)) {
    const details = `messages in ${encoding} are not understood: use one of ${ENCODINGS.join(', ')}`
    return { status: { code: STATUS.unimplemented, details } }
  }
  return undefined
}

/** Milliseconds; infinite without a timeout, NaN for one that is malformed. */
function readTimeout(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? []
  return digits === undefined ? Number.NaN : Number(digits) * UNIT_MS[unit!]!
}
