/** The options of the edges, gRPC and HTTP, whatever carries them. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, HOUR, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const EDGE_OPTIONS = {
  'chunk-bytes': {
    kind: 'bytes',
    default: 256 * KiB,
    min: KiB,
    max: 3 * MiB,
    description: 'Size of the pieces a data set is sent in.',
  },
  'progress-interval': {
    kind: 'duration',
    default: 250,
    min: 10,
    max: MINUTE,
    description: 'Least time between two progress messages of one call.',
  },
  'metrics-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description: 'How long gathering the metrics of one scrape, or an answer about health, may take.',
  },
  'stream-window': {
    kind: 'count',
    default: 64,
    min: 1,
    max: 10_000,
    description: 'Requests of one StreamFeatures call that are under way at once.',
  },
  'grpc-message-bytes-max': {
    kind: 'bytes',
    default: 16 * MiB,
    min: KiB,
    max: 512 * MiB,
    description: 'Largest gRPC message taken in.',
  },
  'grpc-streams-max': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: 'Most calls at once on one connection.',
  },
  'grpc-keepalive-time': {
    kind: 'duration',
    default: MINUTE,
    min: SECOND,
    max: DAY,
    description: 'How long a connection may be silent before it is pinged.',
  },
  'grpc-keepalive-timeout': {
    kind: 'duration',
    default: 20 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description: 'How long the answer to such a ping may take before the connection is closed.',
  },
  'http-body-bytes-max': {
    kind: 'bytes',
    default: 16 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest body of an HTTP request.',
  },
  'http-head-bytes-max': {
    kind: 'bytes',
    default: 16 * KiB,
    min: KiB,
    max: MiB,
    description:
      'Largest head of an HTTP request: its line and its headers. A download is resumed with a token in one of them.',
  },
  'http-answer-bytes-max': {
    kind: 'bytes',
    default: 128 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest answer to a request for features as JSON; it is made in memory.',
  },
  'http-selection-cache-bytes': {
    kind: 'bytes',
    default: 16 * MiB,
    min: 64 * KiB,
    max: GiB,
    description:
      'Most memory for the names and types of what is asked for over HTTP, kept from one request to the next.',
  },
  'http-connections-max': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: 'Most HTTP connections at once; past it new ones are closed.',
  },
  'http-head-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description: 'How long the head of an HTTP request may take to arrive.',
  },
  'http-request-timeout': {
    kind: 'duration',
    default: MINUTE,
    min: 100,
    max: HOUR,
    description: 'How long an HTTP request, with its body, may take to arrive.',
  },
  'http-keep-alive': {
    kind: 'duration',
    default: 75 * SECOND,
    min: 100,
    max: DAY,
    description:
      'How long an HTTP connection is kept for its next request; longer than a load balancer keeps its own, which is often 60 s.',
  },
  'http-stall-timeout': {
    kind: 'duration',
    default: MINUTE,
    min: 100,
    max: DAY,
    description: 'How long the reader of an HTTP answer may take nothing of it before the connection is closed.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
