/** What the peer's SETTINGS change for us (RFC 9113, section 6.5). */
import {
  ConnectionFault,
  ERROR,
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_LIMIT,
  SETTING,
  TABLE_BYTES_DEFAULT,
  UINT31_MAX,
} from './protocol.ts'
import type { Sender } from './sender.ts'
import type { StreamTable } from './stream-table.ts'

const SETTING_BYTES = 6

/**
 * Unknown ones are ignored. A `ConnectionFault` for a bad value. Windows move once for a frame, by what its last value says: a frame has
 * room for 2,730 values, each of which would move those of all streams.
 */
export function applySettings(bytes: Buffer, from: number, to: number, sender: Sender, table: StreamTable): void {
  if ((to - from) % SETTING_BYTES !== 0) {
    throw new ConnectionFault(
      ERROR.frameSizeError,
      `SETTINGS of ${to - from} bytes are no multiple of ${SETTING_BYTES}`,
    )
  }
  let { initialWindow } = sender
  for (let at = from; at < to; at += SETTING_BYTES) {
    const id = bytes.readUInt16BE(at)
    const value = bytes.readUInt32BE(at + 2)
    checkValue(id, value)
    // We use no table of the peer's; only when it is made smaller than it is at first, the next block has to say so.
    if (id === SETTING.headerTableSize && value < TABLE_BYTES_DEFAULT) sender.owesTableSize = true
    else if (id === SETTING.initialWindowSize) initialWindow = value
    else if (id === SETTING.maxFrameSize) sender.frameBytesMax = value
  }
  if (initialWindow !== sender.initialWindow) moveWindows(initialWindow, sender, table)
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

/** Section 6.9.2: the windows of open streams change with it. */
function moveWindows(initialWindow: number, sender: Sender, table: StreamTable): void {
  const change = initialWindow - sender.initialWindow
  sender.initialWindow = initialWindow
  for (const stream of table.open.values()) {
    if (!sender.openStreamWindow(stream, change)) {
      throw new ConnectionFault(ERROR.flowControlError, 'SETTINGS makes a window larger than 2^31-1 (section 6.9.2)')
    }
  }
}
