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
  'source-dir': {
    group: 'Main',
    kind: 'text',
    default: '',
    placeholder: 'folder',
    description: 'What relative paths of source files start from. Empty: the definitions folder, else the current one.',
  },
  online: {
    group: 'Main',
    kind: 'text',
    default: '',
    placeholder: 'url',
    description:
      'Online store: lmdb:<folder>, redis://host:port/db or redis+cluster://host:port,host:port (rediss for TLS). Empty: lmdb:<data-dir>/online.',
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
    default: 1000,
    min: 1,
    max: 1_000_000,
    description:
      'Most entity rows in one GetFeatures request; an answer is assembled without a pause, some 6 µs a row.',
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
  'write-ids-max': {
    group: 'Writing',
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Most write ids remembered; above it the oldest are forgotten first.',
  },
  'request-bytes-max': {
    group: 'Reading',
    kind: 'bytes',
    default: 8 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest GetFeatures request.',
  },
  'response-bytes-max': {
    group: 'Reading',
    kind: 'bytes',
    default: 64 * MiB,
    min: KiB,
    max: GiB,
    description: 'Largest GetFeatures answer; it is assembled in memory.',
  },
  'plan-cache-bytes': {
    group: 'Reading',
    kind: 'bytes',
    default: 64 * MiB,
    min: MiB,
    max: 4 * GiB,
    description: 'Most memory for prepared plans of services and reference lists.',
  },
  'fetch-batch-max': {
    group: 'Reading',
    kind: 'count',
    default: 2000,
    min: 1,
    max: 100_000,
    description: 'Most keys in one read of the online store; more go out as several reads side by side.',
  },
  'fetch-pending-max': {
    group: 'Reading',
    kind: 'count',
    default: 200_000,
    min: 1,
    max: 10_000_000,
    description: 'Most keys being read or waiting to be; beyond it requests get RESOURCE_EXHAUSTED at once.',
  },
  'shard-count': {
    group: 'Main',
    kind: 'count',
    default: 0,
    min: 0,
    max: 4096,
    description:
      'Shards of the online store, fixed when it is created. 0: what it was created with; 1 for a new embedded store, 16 for a new one in Redis.',
  },
  workers: {
    group: 'Main',
    kind: 'count',
    default: 1,
    min: 1,
    max: 64,
    description: 'Processes that serve on the one address, each with its own row cache and its own offline jobs.',
  },
  'worker-restarts-max': {
    group: 'Main',
    kind: 'count',
    default: 10,
    min: 0,
    max: 1000,
    description:
      'Most workers started anew within a minute after they ended by themselves; beyond it the server stops.',
  },
  'worker-changes-max': {
    group: 'Main',
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description:
      'Most changed keys of an embedded online store that wait to be told to one other worker; beyond it that worker drops its whole row cache.',
  },
  'worker-accepts-max': {
    group: 'Main',
    kind: 'count',
    default: 128,
    min: 1,
    max: 65_536,
    description:
      'Most connections handed to a worker that it has not taken up yet; the others get the next ones, and when all are so far behind, connections are closed.',
  },
  'redis-username': {
    group: 'Redis',
    kind: 'text',
    default: '',
    placeholder: 'name',
    description: 'User to log in as; the one in the URL of `online` goes before it.',
  },
  'redis-password': {
    group: 'Redis',
    kind: 'text',
    default: '',
    placeholder: 'secret',
    description: 'Password; better given as TWINSTORE_REDIS_PASSWORD than as a flag that every process list shows.',
  },
  'redis-tls-ca': {
    group: 'Redis',
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Certificates (PEM) to trust for rediss. Empty: those of the system.',
  },
  'redis-read-from': {
    group: 'Redis',
    kind: 'choice',
    default: 'primary',
    choices: ['primary', 'replica'],
    description:
      'Where CACHED reads are answered; a replica lags behind acknowledged writes, see replica-lag-max. FRESH reads ask the primary.',
  },
  'redis-wait-replicas': {
    group: 'Redis',
    kind: 'count',
    default: 0,
    min: 0,
    max: 16,
    description:
      'Replicas that must have a write before it is acknowledged, and a row before it is archived; 0: the primary alone.',
  },
  'redis-wait-timeout': {
    group: 'Redis',
    kind: 'duration',
    default: SECOND,
    min: 1,
    max: MINUTE,
    description: 'How long those replicas have; after it the write is UNAVAILABLE, its fate unknown.',
  },
  'redis-connect-timeout': {
    group: 'Redis',
    kind: 'duration',
    default: 2 * SECOND,
    min: 10,
    max: MINUTE,
    description: 'How long a connection may take to be made.',
  },
  'redis-write-timeout': {
    group: 'Redis',
    kind: 'duration',
    default: 8 * SECOND,
    min: 10,
    max: 5 * MINUTE,
    description: 'How long a write is tried again while its shard fails over; nothing is written twice by that.',
  },
  'redis-heartbeat': {
    group: 'Redis',
    kind: 'duration',
    default: 200,
    min: 10,
    max: 10 * SECOND,
    description: 'Time between two pings on each connection.',
  },
  'redis-silence-max': {
    group: 'Redis',
    kind: 'duration',
    default: SECOND,
    min: 50,
    max: MINUTE,
    description:
      'Silence after which a node is given up until it answers again: its slots are UNAVAILABLE at once, and a late answer is not trusted. Below cluster-node-timeout.',
  },
  'redis-topology-interval': {
    group: 'Redis',
    kind: 'duration',
    default: SECOND,
    min: 50,
    max: MINUTE,
    description: 'Time between two looks at which node holds what; a failure or a redirection brings one at once.',
  },
  'redis-pending-bytes-max': {
    group: 'Redis',
    kind: 'bytes',
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    description: 'Most bytes of writes that wait for Redis; beyond it writes are refused.',
  },
  'hedge-after': {
    group: 'Reading',
    kind: 'duration',
    default: 0,
    min: 0,
    max: MINUTE,
    description:
      'How long the primary may take before a replica is asked too for CACHED reads, whose rows are then not cached. 0: never.',
  },
  'hedge-budget': {
    group: 'Reading',
    kind: 'count',
    default: 5,
    min: 0,
    max: 100,
    description:
      'Most reads, of a hundred, that are asked of a replica too. 100: a replica answers whenever a primary does not.',
  },
  'replica-lag-max': {
    group: 'Reading',
    kind: 'duration',
    default: 10 * SECOND,
    min: 1,
    max: DAY,
    description:
      'How far a replica may lag behind its primary; rows changed within it, as far as this instance knows, are read from the primary alone.',
  },
  'archive-lease': {
    group: 'Archiving',
    kind: 'duration',
    default: 3 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description:
      'How long an instance keeps its shards for archiving without saying so again; the shards of a killed one are taken over after it.',
  },
  'log-faults-max': {
    group: 'Reading',
    kind: 'count',
    default: 10,
    min: 1,
    max: 100_000,
    description: 'Most log lines a second about degraded answers; the next line says how many were left out.',
  },
  'fetch-timeout': {
    group: 'Reading',
    kind: 'duration',
    default: 2 * SECOND,
    min: 1,
    max: 5 * MINUTE,
    description:
      'How long the online store has to answer a read; after it its slots are UNAVAILABLE. Below the deadlines of clients, who else lose the slots that are there too.',
  },
  'lmdb-durability': {
    group: 'Embedded online store',
    kind: 'choice',
    default: 'machine',
    choices: ['machine', 'process'],
    description:
      'What an acknowledged write survives: a loss of power too (flushed to disk first), or the end of the process only.',
  },
  'lmdb-bytes-max': {
    group: 'Embedded online store',
    kind: 'bytes',
    default: 64 * GiB,
    min: MiB,
    max: 16384 * GiB,
    description: 'Most live data in the embedded store; beyond it writes are refused and reads go on.',
  },
  'archive-interval': {
    group: 'Archiving',
    kind: 'duration',
    default: 2 * SECOND,
    min: 1,
    max: HOUR,
    description: 'How long a row may wait for others before the offline commit.',
  },
  'archive-shards-at-once': {
    group: 'Archiving',
    kind: 'count',
    default: 16,
    min: 1,
    max: 1024,
    description: 'Shards whose outbox the archiver reads or trims side by side.',
  },
  'archive-batch-rows': {
    group: 'Archiving',
    kind: 'count',
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description:
      'Most rows in one batch of the archiver, which its shards share; so many pending rows start one at once.',
  },
  'archive-batch-bytes': {
    group: 'Archiving',
    kind: 'bytes',
    default: 32 * MiB,
    min: KiB,
    max: GiB,
    description:
      'Most bytes in one batch of the archiver, which its shards share; so many pending bytes start one at once.',
  },
  'archive-retry-min': {
    group: 'Archiving',
    kind: 'duration',
    default: 200,
    min: 1,
    max: MINUTE,
    description: 'Delay before the first retry after the offline store failed; it doubles with each further one.',
  },
  'archive-retry-max': {
    group: 'Archiving',
    kind: 'duration',
    default: 30 * SECOND,
    min: 1,
    max: HOUR,
    description: 'Longest delay between retries after the offline store failed.',
  },
  'commit-attempts-max': {
    group: 'Archiving',
    kind: 'count',
    default: 100,
    min: 1,
    max: 10_000,
    description: 'How often a commit that lost to another writer is tried again before it is given up with ABORTED.',
  },
  'log-reads-max': {
    group: 'Archiving',
    kind: 'count',
    default: 16,
    min: 1,
    max: 256,
    description: "Entries of a table's log read side by side.",
  },
  'sync-seed-rows': {
    group: 'Archiving',
    kind: 'count',
    default: 1000,
    min: 1,
    max: 100_000,
    description: 'Rows a sync brings online in one batch; other writes get their turn in between.',
  },
  'offline-memory': {
    group: 'Offline work',
    kind: 'bytes',
    default: GiB,
    min: 64 * MiB,
    max: 1024 * GiB,
    description: 'Memory of DuckDB in one long job (sync, export, training set); beyond it the job spills to disk.',
  },
  'offline-short-memory': {
    group: 'Offline work',
    kind: 'bytes',
    default: 256 * MiB,
    min: 64 * MiB,
    max: 64 * GiB,
    description: 'Memory of DuckDB in one short job (append, history, latest).',
  },
  'offline-threads': {
    group: 'Offline work',
    kind: 'count',
    default: 2,
    min: 1,
    max: 256,
    description: 'Threads of one long job; short jobs have one.',
  },
  'offline-spill-bytes-max': {
    group: 'Offline work',
    kind: 'bytes',
    default: 64 * GiB,
    min: 0,
    max: 16384 * GiB,
    description: 'Most disk space for what one job spills.',
  },
  'training-slice-values-max': {
    group: 'Offline work',
    kind: 'count',
    default: 16_000_000,
    min: 1,
    max: 1_000_000_000,
    description: 'Values of a training set that are joined and sorted at a time; more need more memory.',
  },
  'offline-short-jobs-max': {
    group: 'Offline work',
    kind: 'count',
    default: 2,
    min: 1,
    max: 64,
    description: 'Short jobs at a time, in one child process.',
  },
  'offline-jobs-max': {
    group: 'Offline work',
    kind: 'count',
    default: 1,
    min: 1,
    max: 64,
    description: 'Long jobs at a time, each in a child process of its own.',
  },
  'offline-queue-max': {
    group: 'Offline work',
    kind: 'count',
    default: 32,
    min: 0,
    max: 10_000,
    description: 'Jobs that may wait for a place; beyond it requests are refused.',
  },
  'offline-cancel-grace': {
    group: 'Offline work',
    kind: 'duration',
    default: 2 * SECOND,
    min: 0,
    max: MINUTE,
    description: 'How long a cancelled job has to stop before its process is killed.',
  },
  'offline-files-at-once': {
    group: 'Offline work',
    kind: 'count',
    default: 8,
    min: 1,
    max: 256,
    description: 'Files of one operation that are uploaded or fetched side by side.',
  },
  'verified-files-max': {
    group: 'Offline work',
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Data files remembered as verified against their checksum; a forgotten one is read once more.',
  },
  'staging-stale-age': {
    group: 'Offline work',
    kind: 'duration',
    default: DAY,
    min: MINUTE,
    max: 30 * DAY,
    description: 'Age at which unfinished files that a killed process left are removed; above the longest job.',
  },
  'spool-bytes-max': {
    group: 'Offline work',
    kind: 'bytes',
    default: 64 * GiB,
    min: MiB,
    max: 16384 * GiB,
    description: 'Most disk space for finished data sets that are being sent.',
  },
  'spine-bytes-max': {
    group: 'Offline work',
    kind: 'bytes',
    default: 16 * GiB,
    min: KiB,
    max: 16384 * GiB,
    description: 'Largest spine that can be sent for a training set.',
  },
  'history-rows-max': {
    group: 'Offline work',
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: 'Most rows one GetHistory gives; export has no such limit.',
  },
  'export-entities-max': {
    group: 'Offline work',
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description: 'Most entities one export can be restricted to.',
  },
  'chunk-bytes': {
    group: 'Edge',
    kind: 'bytes',
    default: 256 * KiB,
    min: KiB,
    max: 3 * MiB,
    description: 'Size of the pieces a data set is sent in.',
  },
  'progress-interval': {
    group: 'Edge',
    kind: 'duration',
    default: 250,
    min: 10,
    max: MINUTE,
    description: 'Least time between two progress messages of one call.',
  },
  'stream-window': {
    group: 'Edge',
    kind: 'count',
    default: 64,
    min: 1,
    max: 10_000,
    description: 'Requests of one StreamFeatures call that are under way at once.',
  },
  'grpc-message-bytes-max': {
    group: 'Edge',
    kind: 'bytes',
    default: 16 * MiB,
    min: KiB,
    max: 512 * MiB,
    description: 'Largest gRPC message taken in.',
  },
  'grpc-streams-max': {
    group: 'Edge',
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: 'Most calls at once on one connection.',
  },
  'grpc-keepalive-time': {
    group: 'Edge',
    kind: 'duration',
    default: MINUTE,
    min: SECOND,
    max: DAY,
    description: 'How long a connection may be silent before it is pinged.',
  },
  'grpc-keepalive-timeout': {
    group: 'Edge',
    kind: 'duration',
    default: 20 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description: 'How long the answer to such a ping may take before the connection is closed.',
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
  (config) =>
    config['redis-heartbeat'] * 2 > config['redis-silence-max']
      ? 'redis-silence-max must be at least twice redis-heartbeat'
      : undefined,
  (config) =>
    (config['hedge-after'] > 0 || config['redis-read-from'] === 'replica') &&
    config['replica-lag-max'] + config['fetch-timeout'] > config['cache-ttl']
      ? 'replica-lag-max and fetch-timeout together must not be above cache-ttl when replicas are read: within it every change is seen'
      : undefined,
]
