/** Frames of HTTP/2 (RFC 9113): their numbers, and one as bytes. */

export const HEAD_BYTES = 9
/** What a peer may send, and what it takes until it says otherwise. Clients of gRPC leave it as it is, so this does too. */
export const FRAME_BYTES_MAX = 16_384
export const WINDOW_BYTES = 65_535
export const WINDOW_BYTES_MAX = 2 ** 31 - 1
export const STREAM_ID_MAX = 2 ** 31 - 1

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
}

export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 }

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
}

export const CANCEL = 8

const ERRORS = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
]

export function errorName(code) {
  return ERRORS[code] ?? `error ${code}`
}

export function frame(type, flags, streamId, payload = Buffer.alloc(0)) {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(streamId, 5)
  payload.copy(bytes, HEAD_BYTES)
  return bytes
}

/** `settings`: [setting, value]. */
export function settingsFrame(settings) {
  const payload = Buffer.alloc(settings.length * 6)
  for (const [index, [setting, value]] of settings.entries()) {
    payload.writeUInt16BE(setting, index * 6)
    payload.writeUInt32BE(value, index * 6 + 2)
  }
  return frame(TYPE.SETTINGS, 0, 0, payload)
}

/** A frame with a number as its payload: WINDOW_UPDATE, RST_STREAM. */
export function numberFrame(type, streamId, number) {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(number)
  return frame(type, 0, streamId, payload)
}
