/** The options that say what is served, where, and in how many processes. */
import type { OptionSpec } from '../option-value.ts'
import { HOUR, MINUTE, SECOND } from '../units.ts'

export const MAIN_OPTIONS = {
  definitions: {
    kind: 'text',
    default: '',
    placeholder: 'path',
    description: 'Folder or file with the feature definitions. Empty: the definitions applied last.',
  },
  'data-dir': {
    kind: 'text',
    default: './data',
    placeholder: 'folder',
    description: 'Folder for the embedded stores and for temporary files.',
  },
  'source-dir': {
    kind: 'text',
    default: '',
    placeholder: 'folder',
    description: 'What relative paths of source files start from. Empty: the definitions folder, else the current one.',
  },
  online: {
    kind: 'text',
    default: '',
    placeholder: 'url',
    description:
      'Online store: lmdb:<folder>, redis://host:port/db or redis+cluster://host:port,host:port (rediss for TLS). Empty: lmdb:<data-dir>/online.',
  },
  offline: {
    kind: 'text',
    default: '',
    placeholder: 'url',
    description: 'Offline store: file:<folder> or s3://bucket/prefix. Empty: file:<data-dir>/offline.',
  },
  grpc: {
    kind: 'address',
    default: '127.0.0.1:50051',
    description: 'Address that the gRPC server listens on.',
  },
  http: {
    kind: 'address',
    default: '',
    description: 'Address that HTTP with JSON (docs/http.md) is served on. Empty: none.',
  },
  metrics: {
    kind: 'address',
    default: '',
    description:
      'Address that /metrics (Prometheus) and /health are served on over HTTP; of several workers, each listens one port further. Empty: none.',
  },
  project: {
    kind: 'text',
    default: 'default',
    placeholder: 'name',
    description: 'Name of the project, recorded with the applied definitions.',
  },
  'sync-on-start': {
    kind: 'choice',
    default: 'empty',
    choices: ['empty', 'always', 'never'],
    description: 'Whether views with a source are synced before the server is ready: those without data, all, or none.',
  },
  'sync-schedule': {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    description:
      'Whether this server syncs views as often as their definitions say; of several instances one does it for each view.',
  },
  'log-level': {
    kind: 'choice',
    default: 'info',
    choices: ['fatal', 'error', 'warn', 'info', 'debug'],
    description: 'Least severe messages to log, as JSON lines on standard error.',
  },
  'log-repeats-max': {
    kind: 'count',
    default: 10,
    min: 1,
    max: 100_000,
    description:
      'Most log lines about clients, of one kind, in log-repeats-interval: connections that were ended, calls that failed. One more says how many there were.',
  },
  'log-repeats-interval': {
    kind: 'duration',
    default: 10 * SECOND,
    min: SECOND,
    max: HOUR,
    description: 'See log-repeats-max.',
  },
  'drain-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 0,
    max: 10 * MINUTE,
    description: 'How long a stopping server waits for calls under way and for the outbox to be archived.',
  },
  'shard-count': {
    kind: 'count',
    default: 0,
    min: 0,
    max: 4096,
    description:
      'Shards of the online store, fixed when it is created. 0: what it was created with; 1 for a new embedded store, 16 for a new one in Redis.',
  },
  workers: {
    kind: 'count',
    default: 1,
    min: 1,
    max: 64,
    description: 'Processes that serve on the one address, each with its own row cache and its own offline jobs.',
  },
  'worker-restarts-max': {
    kind: 'count',
    default: 10,
    min: 0,
    max: 1000,
    description:
      'Most workers started anew within a minute after they ended by themselves; beyond it the server stops.',
  },
  'worker-changes-max': {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description:
      'Most changed keys of an embedded online store that wait to be told to one other worker; beyond it that worker drops its whole row cache.',
  },
  'worker-accepts-max': {
    kind: 'count',
    default: 128,
    min: 1,
    max: 65_536,
    description:
      'Most connections handed to a worker that it has not taken up yet; the others get the next ones, and when all are so far behind, connections are closed.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
