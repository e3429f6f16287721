/**
 * Every option of the server, once: the table makes the flags, the environment variables, the YAML keys, `--help` and
 * docs/options.md. Numbers that bound something are here and nowhere else.
 */
import type { OptionSpec } from './option-value.ts'

const KiB = 2 ** 10
const MiB = 2 ** 20
const GiB = 2 ** 30
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const OPTIONS = {
  definitions: {
    group: 'Main',
    kind: 'text',
    default: '',
    placeholder: 'path',
    description: 'Folder or file with the feature definitions. Empty: the definitions applied last.',
  },
  'data-dir': {
    group: 'Main',
    kind: 'text',
    default: './data',
    placeholder: 'folder',
    description: 'Folder for the embedded stores and for temporary files.',
  },
  online: {
    group: 'Main',
    kind: 'text',
    default: '',
    placeholder: 'lmdb:<folder>',
    description: 'Online store. Empty: lmdb:<data-dir>/online.',
  },
  offline: {
    group: 'Main',
    kind: 'text',
    default: '',
    placeholder: 'file:<folder>',
    description: 'Offline store. Empty: file:<data-dir>/offline.',
  },
  grpc: {
    group: 'Main',
    kind: 'address',
    default: '127.0.0.1:50051',
    description: 'Address that the gRPC server listens on.',
  },
  project: {
    group: 'Main',
    kind: 'text',
    default: 'default',
    placeholder: 'name',
    description: 'Name of the project, recorded with the applied definitions.',
  },
  'sync-on-start': {
    group: 'Main',
    kind: 'choice',
    default: 'empty',
    choices: ['empty', 'always', 'never'],
    description: 'Whether views with a source are synced before the server is ready: those without data, all, or none.',
  },
  'log-level': {
    group: 'Main',
    kind: 'choice',
    default: 'info',
    choices: ['fatal', 'error', 'warn', 'info', 'debug'],
    description: 'Least severe messages to log, as JSON lines on standard error.',
  },
  'drain-timeout': {
    group: 'Main',
    kind: 'duration',
    default: 10 * SECOND,
    min: 0,
    max: 10 * MINUTE,
    description: 'How long a stopping server waits for calls under way and for the outbox to be archived.',
  },
  'cache-ttl': {
    group: 'Reading',
    kind: 'duration',
    default: 60 * SECOND,
    min: 1,
    max: DAY,
    description: 'How long a cached row may be served without asking the online store again.',
  },
  'cache-bytes': {
    group: 'Reading',
    kind: 'bytes',
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    description: 'Most memory for cached rows; the least recently used go first.',
  },
  'cache-entries': {
    group: 'Reading',
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Most cached rows, missing rows among them.',
  },
  'cache-stale-if-error': {
    group: 'Reading',
    kind: 'duration',
    default: 5 * MINUTE,
    min: 0,
    max: DAY,
    description: 'How old an expired cached row may be to stand in, flagged, while the online store does not answer.',
  },
  'entities-max': {
    group: 'Reading',
    kind: 'count',
    default: 5000,
    min: 1,
    max: 1_000_000,
    description: 'Most entity rows in one GetFeatures request.',
  },
  'features-max': {
    group: 'Reading',
    kind: 'count',
    default: 5000,
    min: 1,
    max: 100_000,
    description: 'Most features in one GetFeatures request.',
  },
  'write-rows-max': {
    group: 'Writing',
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: 'Most rows in one write.',
  },
  'value-bytes-max': {
    group: 'Writing',
    kind: 'bytes',
    default: MiB,
    min: 1,
    max: 64 * MiB,
    description: 'Largest single value.',
  },
  'row-bytes-max': {
    group: 'Writing',
    kind: 'bytes',
    default: 4 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest row.',
  },
  'entity-key-bytes-max': {
    group: 'Writing',
    kind: 'bytes',
    default: 512,
    min: 16,
    max: 1024,
    description: 'Longest entity key; the embedded store takes keys of up to 1978 bytes with the view name.',
  },
  'event-time-ahead-max': {
    group: 'Writing',
    kind: 'duration',
    default: DAY,
    min: 0,
    max: 3650 * DAY,
    description: "How far an event timestamp may lie ahead of the server's clock.",
  },
  'outbox-rows-max': {
    group: 'Writing',
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 1_000_000_000,
    description: 'Most rows that wait for the offline store; beyond it writes are refused and reads go on.',
  },
  'outbox-bytes-max': {
    group: 'Writing',
    kind: 'bytes',
    default: GiB,
    min: KiB,
    max: 1024 * GiB,
    description: 'Most bytes that wait for the offline store; beyond it writes are refused and reads go on.',
  },
  'write-id-retention': {
    group: 'Writing',
    kind: 'duration',
    default: DAY,
    min: MINUTE,
    max: 30 * DAY,
    description: 'How long a write id is remembered, so that a retry changes nothing.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

export type OptionName = keyof typeof OPTIONS

type ValueOf<S extends OptionSpec> = S extends { kind: 'choice'; choices: readonly (infer C)[] }
  ? C
  : S extends { kind: 'text' | 'address' }
    ? string
    : number

/** All options by name; durations in milliseconds, sizes in bytes. */
export type Config = { readonly [N in OptionName]: ValueOf<(typeof OPTIONS)[N]> }

/** What must hold between options; each rule gives the problem, or undefined. */
export const RELATIONS: readonly ((config: Config) => string | undefined)[] = [
  (config) =>
    config['value-bytes-max'] > config['row-bytes-max'] ? 'value-bytes-max must not be above row-bytes-max' : undefined,
  (config) =>
    config['row-bytes-max'] > config['outbox-bytes-max']
      ? 'row-bytes-max must not be above outbox-bytes-max'
      : undefined,
  (config) =>
    config['write-rows-max'] > config['outbox-rows-max']
      ? 'write-rows-max must not be above outbox-rows-max'
      : undefined,
]
