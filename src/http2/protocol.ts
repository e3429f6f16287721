/** The numbers of HTTP/2 (RFC 9113): frame types (section 6), flags, settings (6.5.2), error codes (7). */

/** What a client sends first (section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export const FRAME_HEAD_BYTES = 9
/** The largest frame that every peer must take, and the least that SETTINGS_MAX_FRAME_SIZE may say (section 4.2). */
export const FRAME_BYTES_DEFAULT = 16_384
export const FRAME_BYTES_LIMIT = 16_777_215
export const WINDOW_DEFAULT = 65_535
/** SETTINGS_HEADER_TABLE_SIZE as it is without being set (section 6.5.2). */
export const TABLE_BYTES_DEFAULT = 4096
/** The most a flow-control window may hold (section 6.9.1), and the highest stream id. */
export const UINT31_MAX = 0x7fffffff

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

export const ERROR = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

export type ErrorNumber = (typeof ERROR)[keyof typeof ERROR]

/** As the RFC writes them. */
const ERROR_NAMES = new Map<number, string>(
  Object.entries(ERROR).map(([name, code]) => [code, name.replace(/(?=[A-Z1])/g, '_').toUpperCase()]),
)

/** Why a connection has to end: the code and the words of its GOAWAY frame. */
export class ConnectionFault extends Error {
  readonly code: ErrorNumber
  /** One of few: the option whose limit was passed, else the name of the code. */
  readonly reason: string

  constructor(code: ErrorNumber, message: string, option?: string) {
    super(option === undefined ? message : `${message} (${option})`)
    this.name = 'ConnectionFault'
    this.code = code
    this.reason = option ?? ERROR_NAMES.get(code)!
  }
}
