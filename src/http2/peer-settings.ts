/** Reads a SETTINGS frame (RFC 9113, section 6.5). */
import { ConnectionFault, ERROR, FRAME_BYTES_DEFAULT, FRAME_BYTES_LIMIT, SETTING, UINT31_MAX } from './protocol.ts'

const SETTING_BYTES = 6

/** Calls `apply` for each setting that concerns us, in their order; unknown ones are ignored. A `ConnectionFault` for a bad value. */
export function readSettings(
  bytes: Buffer,
  from: number,
  to: number,
  apply: (id: number, value: number) => void,
): void {
  if ((to - from) % SETTING_BYTES !== 0) {
    throw new ConnectionFault(
      ERROR.frameSizeError,
      `SETTINGS of ${to - from} bytes are no multiple of ${SETTING_BYTES}`,
    )
  }
  for (let at = from; at < to; at += SETTING_BYTES) {
    const id = bytes.readUInt16BE(at)
    const value = bytes.readUInt32BE(at + 2)
    checkValue(id, value)
    apply(id, value)
  }
}

function checkValue(id: number, value: number): void {
  if (id === SETTING.enablePush && value > 1) {
    throw new ConnectionFault(ERROR.protocolError, `SETTINGS_ENABLE_PUSH is ${value}: it is 0 or 1`)
  }
  if (id === SETTING.initialWindowSize && value > UINT31_MAX) {
    throw new ConnectionFault(ERROR.flowControlError, `SETTINGS_INITIAL_WINDOW_SIZE is ${value}, at most ${UINT31_MAX}`)
  }
  if (id === SETTING.maxFrameSize && (value < FRAME_BYTES_DEFAULT || value > FRAME_BYTES_LIMIT)) {
    throw new ConnectionFault(
      ERROR.protocolError,
      `SETTINGS_MAX_FRAME_SIZE is ${value}: from ${FRAME_BYTES_DEFAULT} to ${FRAME_BYTES_LIMIT}`,
    )
  }
}
