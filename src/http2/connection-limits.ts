/** What a connection may use, and whom it tells what happens. */
import type { FloodLimits } from './flood-guard.ts'
import type { HeaderBlockLimits } from './header-block.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { HeaderList } from './hpack/header-list.ts'
import type { ConnectionTimes } from './liveness.ts'
import type { BufferPool } from './output.ts'
import type { ErrorNumber } from './protocol.ts'
import type { Http2Stream } from './stream.ts'

export interface ConnectionLimits extends FloodLimits, HeaderBlockLimits {
  /** Streams at once: SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly streamsMax: number
  /** Bytes of one call's headers, by the measure of SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly headerListBytesMax: number
  /** Bytes that a peer may send on a stream before the layer above takes them: SETTINGS_INITIAL_WINDOW_SIZE. */
  readonly streamWindowBytes: number
  /** The same for the whole connection. */
  readonly connectionWindowBytes: number
  /** Bytes that wait for the socket before streams have to wait. */
  readonly outputBytesMax: number
  /** Bytes that wait in streams for the peer to read before new answers have to wait. */
  readonly queuedBytesMax: number
  /** How long a connection goes on before timers and other connections have their turn, milliseconds. */
  readonly turnMsMax: number
  readonly times: ConnectionTimes
}

/** What all connections of a server have in common. */
export interface SharedMemory {
  readonly pool: BufferPool
  readonly held: HeldBytes
}

/** Called from within `receive`, `tick` and the calls that send; they may call back into the connection. */
export interface ConnectionEvents {
  /** A request: its headers, and whether nothing follows. The list may be too large: `isTooLarge`. */
  opened(stream: Http2Stream, headers: HeaderList, isEnded: boolean): void
  /** `bytes[from, to)` stays as it is; `take` gives the peer its window back. */
  data(stream: Http2Stream, bytes: Buffer, from: number, to: number): void
  /** END_STREAM has come after the headers, with the trailers if there were any. */
  ended(stream: Http2Stream, trailers: HeaderList | undefined): void
  /** The stream ended before its answer did: by the peer, by a fault of it, or with the connection. */
  aborted(stream: Http2Stream, code: ErrorNumber): void
  /** All of a chunk has been told. */
  received(): void
  /** What was queued is in the output; see `wantsDrain`. */
  drained(stream: Http2Stream): void
}
