/** The options of columnar work: jobs, what they may use, and the data sets they make. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const OFFLINE_OPTIONS = {
  'offline-memory': {
    kind: 'bytes',
    default: GiB,
    min: 64 * MiB,
    max: 1024 * GiB,
    description: 'Memory of DuckDB in one long job (sync, export, training set); beyond it the job spills to disk.',
  },
  'offline-short-memory': {
    kind: 'bytes',
    default: 256 * MiB,
    min: 64 * MiB,
    max: 64 * GiB,
    description: 'Memory of DuckDB in one short job (append, history, latest).',
  },
  'offline-threads': {
    kind: 'count',
    default: 2,
    min: 1,
    max: 256,
    description: 'Threads of one long job; short jobs have one.',
  },
  'offline-nice': {
    kind: 'count',
    default: 10,
    min: 0,
    max: 19,
    description:
      "By how much long jobs stand back for requests where processor time is short, as the system's `nice`; 0: not at all.",
  },
  'offline-spill-bytes-max': {
    kind: 'bytes',
    default: 64 * GiB,
    min: 0,
    max: 16384 * GiB,
    description: 'Most disk space for what one job spills.',
  },
  'training-slice-values-max': {
    kind: 'count',
    default: 16_000_000,
    min: 1,
    max: 1_000_000_000,
    description: 'Values (of 8 bytes) of a training set that are joined and sorted at a time; more need more memory.',
  },
  'offline-short-jobs-max': {
    kind: 'count',
    default: 2,
    min: 1,
    max: 64,
    description: 'Short jobs at a time, in one child process.',
  },
  'offline-jobs-max': {
    kind: 'count',
    default: 1,
    min: 1,
    max: 64,
    description: 'Long jobs at a time, each in a child process of its own.',
  },
  'offline-queue-max': {
    kind: 'count',
    default: 32,
    min: 0,
    max: 10_000,
    description: 'Jobs that may wait for a place; beyond it requests are refused.',
  },
  'offline-cancel-grace': {
    kind: 'duration',
    default: 2 * SECOND,
    min: 0,
    max: MINUTE,
    description: 'How long a cancelled job has to stop before its process is killed.',
  },
  'offline-files-at-once': {
    kind: 'count',
    default: 8,
    min: 1,
    max: 256,
    description: 'Files of one operation that are uploaded or fetched side by side.',
  },
  'verified-files-max': {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Data files remembered as verified against their checksum; a forgotten one is read once more.',
  },
  'staging-stale-age': {
    kind: 'duration',
    default: DAY,
    min: MINUTE,
    max: 30 * DAY,
    description: 'Age at which unfinished files that a killed process left are removed; above the longest job.',
  },
  'spool-bytes-max': {
    kind: 'bytes',
    default: 64 * GiB,
    min: MiB,
    max: 16384 * GiB,
    description: 'Most disk space for finished data sets that are being sent.',
  },
  'dataset-keep': {
    kind: 'duration',
    default: 10 * MINUTE,
    min: 0,
    max: DAY,
    description:
      'How long a finished data set is kept after its stream broke, for its reader to get the rest; after it the data set is made again. 0: not at all.',
  },
  'dataset-keep-bytes-max': {
    kind: 'bytes',
    default: 16 * GiB,
    min: 0,
    max: 16384 * GiB,
    description:
      'Most disk space for such data sets; beyond it the one left longest goes first. At most spool-bytes-max, of which it is a part.',
  },
  'spine-bytes-max': {
    kind: 'bytes',
    default: 16 * GiB,
    min: KiB,
    max: 16384 * GiB,
    description: 'Largest spine that can be sent for a training set.',
  },
  'history-rows-max': {
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: 'Most rows one GetHistory gives; export has no such limit.',
  },
  'export-entities-max': {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description: 'Most entities one export can be restricted to.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
