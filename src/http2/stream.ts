/** Bytes to send, and the buffer to give back when they have left, if it is borrowed. */
export interface Piece {
  readonly bytes: Buffer
  readonly borrowed: Buffer | undefined
}

/**
 * One stream of a connection (RFC 9113, section 5.1), as a server sees it.
 *
 *     open --END_STREAM came--> half-closed (remote) --END_STREAM left--> closed
 *     open --END_STREAM left--> half-closed (local), ended by RST_STREAM(NO_ERROR) at once --> closed
 *     any  --RST_STREAM either way, or the connection ends--> closed
 *
 * An idle stream has no object, and neither has a closed one.
 */
export class Http2Stream {
  readonly id: number
  /** What the layer above keeps of it. */
  call: unknown = undefined
  /** How many bytes of DATA we may send; below zero after the peer has made its windows smaller (section 6.9.2). */
  sendWindow: number
  /** How many bytes of DATA the peer may send. */
  receiveWindow: number
  /** Bytes that the layer above has taken and the peer has not been told of. */
  takenBytes = 0
  /** What content-length says is still to come; undefined without one. */
  promisedBytes: number | undefined = undefined
  isRemoteEnded = false
  isClosed = false
  /** The layer above still works for it, though it may be closed. */
  isWorking = true
  /** DATA that waits for a window or for its turn; of the first piece, `[queueFrom, ...)`. */
  readonly queue: Piece[] = []
  queueFrom = 0
  queuedBytes = 0
  /** Nothing follows the queue but these trailers, if any. */
  isEnding = false
  trailers: Buffer | undefined = undefined
  /** It is in the sender's round. */
  isInRound = false
  /** The layer above waits for its queue to be empty. */
  wantsDrain = false
  /** When its queue last became shorter, or began; for the limit on peers that open no window. */
  movedMs = 0

  constructor(id: number, sendWindow: number, receiveWindow: number) {
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }
}
