/** The limits of a connection in tests of the HTTP/2 core: small, so that what goes beyond one is small too. */
import type { ConnectionLimits, SharedMemory } from '../../src/http2/connection-limits.ts'
import { HeldBytes } from '../../src/http2/held-bytes.ts'
import { AnswerBuffers } from '../../src/lib/answer-buffers.ts'

export const HTTP2_LIMITS: ConnectionLimits = {
  resetsBurst: 100,
  resetsPerSecond: 10,
  emptyFramesBurst: 100,
  emptyFramesPerSecond: 10,
  blockBytesMax: 16_384,
  continuationsMax: 8,
  streamsMax: 50,
  headerListBytesMax: 8192,
  streamWindowBytes: 65_535,
  connectionWindowBytes: 1 << 20,
  outputBytesMax: 64 * 1024,
  queuedBytesMax: 1 << 22,
  turnMsMax: 5,
  times: {
    handshakeMs: 1000,
    frameMs: 1000,
    stallMs: 5000,
    keepaliveMs: 10_000,
    keepaliveTimeoutMs: 2000,
    idleMs: 60_000,
    ageMs: 600_000,
    graceMs: 3000,
  },
}

/** Of a server whose connections hold little. */
export function sharedMemory(): SharedMemory {
  return { pool: new AnswerBuffers(2 ** 20), held: new HeldBytes(2 ** 30, () => undefined) }
}
