/** The options of what carries gRPC: what a connection may use, and what a hostile peer may do before it is told off. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, HOUR, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const TRANSPORT_OPTIONS = {
  transport: {
    kind: 'choice',
    default: 'lean',
    choices: ['lean', 'grpc-js'],
    description:
      'What carries gRPC: the HTTP/2 of this project, or that of grpc-js and Node. The options below are of lean.',
  },
  'grpc-connections-max': {
    kind: 'count',
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description: 'Most connections at once; more are closed as they come.',
  },
  'grpc-incoming-bytes-max': {
    kind: 'bytes',
    default: 64 * MiB,
    min: MiB,
    max: 4 * GiB,
    description:
      'Most bytes of the requests of a connection that are still coming; at least one of grpc-message-bytes-max.',
  },
  'grpc-incoming-bytes-total-max': {
    kind: 'bytes',
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    description:
      'The same for all connections together, each being counted with its headers and 2 KiB; beyond it those requests fail that have not gone on for longest. At least grpc-incoming-bytes-max.',
  },
  'answer-buffers-bytes': {
    kind: 'bytes',
    default: 16 * MiB,
    min: 0,
    max: GiB,
    description: 'Buffers of gRPC answers kept to be used again; those in use come on top.',
  },
  'grpc-idle-timeout': {
    kind: 'duration',
    default: 30 * MINUTE,
    min: SECOND,
    max: 365 * DAY,
    description: 'How long a connection may have no call before it is ended.',
  },
  'grpc-connection-age': {
    kind: 'duration',
    default: 365 * DAY,
    min: SECOND,
    max: 365 * DAY,
    description:
      'How old a connection may be before it is ended, so that clients spread over the servers there are now.',
  },
  'grpc-connection-age-grace': {
    kind: 'duration',
    default: 5 * MINUTE,
    min: SECOND,
    max: DAY,
    description: 'How long calls on a connection that is being ended may go on.',
  },
  'http2-stream-window-bytes': {
    kind: 'bytes',
    default: 256 * KiB,
    min: 64 * KiB,
    max: GiB,
    description: 'How much of a request a client may send before it is read.',
  },
  'http2-connection-window-bytes': {
    kind: 'bytes',
    default: 4 * MiB,
    min: 64 * KiB,
    max: GiB,
    description: 'The same for all requests of a connection together.',
  },
  'http2-output-bytes-max': {
    kind: 'bytes',
    default: MiB,
    min: 16 * KiB,
    max: 64 * MiB,
    description: 'How much waits for the socket of a connection before answers wait for their turn.',
  },
  // Within the buffers that answers are made in again and again (`answer-buffers-bytes`): of 500 calls of 100 rows in flight, each cost 130 to
  // 180 us of processor time with 8 MiB, and 250 to 400 with 64, where answers are made into fresh memory and wait there.
  'http2-queued-bytes-max': {
    kind: 'bytes',
    default: 8 * MiB,
    min: MiB,
    max: 4 * GiB,
    description: 'How much may wait for the client of a connection to read before its next calls have to wait.',
  },
  'http2-queued-bytes-total-max': {
    kind: 'bytes',
    default: 512 * MiB,
    min: MiB,
    max: 64 * GiB,
    description:
      'The same for the clients of all connections; beyond it, those that hold most and do not read are disconnected. At least http2-queued-bytes-max.',
  },
  'http2-header-list-bytes-max': {
    kind: 'bytes',
    default: 16 * KiB,
    min: KiB,
    max: MiB,
    description: 'Most headers of a call, 32 bytes being counted for each beside its own.',
  },
  'http2-header-block-bytes-max': {
    kind: 'bytes',
    default: 64 * KiB,
    min: 16 * KiB,
    max: MiB,
    description: 'Most bytes of the headers of a call as they come.',
  },
  'http2-continuations-max': {
    kind: 'count',
    default: 16,
    min: 1,
    max: 1000,
    description: 'Most CONTINUATION frames of the headers of a call.',
  },
  'http2-turn-max': {
    kind: 'duration',
    default: 5,
    min: 1,
    max: SECOND,
    description: 'How long a connection with much to do goes on before timers and other connections have their turn.',
  },
  'http2-resets-burst': {
    kind: 'count',
    default: 5000,
    min: 10,
    max: 1_000_000,
    description:
      'Most streams of a connection that may be reset at once; cancelled calls and passed deadlines are among them.',
  },
  'http2-resets-per-second': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: 'Most streams of a connection that may be reset in a second from then on.',
  },
  'http2-empty-frames-burst': {
    kind: 'count',
    default: 5000,
    min: 10,
    max: 1_000_000,
    description: 'Most PING, SETTINGS, PRIORITY, unknown and empty frames of a connection at once.',
  },
  'http2-empty-frames-per-second': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: 'Most such frames in a second from then on.',
  },
  'http2-handshake-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 100,
    max: HOUR,
    description: 'How long a new connection may take to say that it speaks HTTP/2.',
  },
  'http2-frame-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 100,
    max: HOUR,
    description: 'How long a frame, or the headers of a call, may take from the first byte to the last.',
  },
  'http2-stall-timeout': {
    kind: 'duration',
    default: 5 * MINUTE,
    min: SECOND,
    max: DAY,
    description: 'How long a client may read nothing of an answer that waits for it.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
