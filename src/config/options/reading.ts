/** The options of the read path: the row cache, fetches of what is not in it, and the limits of a request. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const READING_OPTIONS = {
  'cache-ttl': {
    kind: 'duration',
    default: 60 * SECOND,
    min: 1,
    max: DAY,
    description: 'How long a cached row may be served without asking the online store again.',
  },
  'cache-bytes': {
    kind: 'bytes',
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    description: 'Most memory for cached rows; the least recently used go first.',
  },
  'cache-entries': {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Most cached rows, missing rows among them.',
  },
  'cache-stale-if-error': {
    kind: 'duration',
    default: 5 * MINUTE,
    min: 0,
    max: DAY,
    description: 'How old an expired cached row may be to stand in, flagged, while the online store does not answer.',
  },
  'entities-max': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 1_000_000,
    description:
      'Most entity rows in one GetFeatures request; an answer is assembled without a pause, some 6 µs a row.',
  },
  'features-max': {
    kind: 'count',
    default: 5000,
    min: 1,
    max: 100_000,
    description: 'Most features in one GetFeatures request.',
  },
  'request-bytes-max': {
    kind: 'bytes',
    default: 8 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest GetFeatures request.',
  },
  'response-bytes-max': {
    kind: 'bytes',
    default: 64 * MiB,
    min: KiB,
    max: GiB,
    description: 'Largest GetFeatures answer; it is assembled in memory.',
  },
  'plan-cache-bytes': {
    kind: 'bytes',
    default: 64 * MiB,
    min: MiB,
    max: 4 * GiB,
    description: 'Most memory for prepared plans of services and reference lists.',
  },
  'fetch-batch-max': {
    kind: 'count',
    default: 2000,
    min: 1,
    max: 100_000,
    description: 'Most keys in one read of the online store; more go out as several reads side by side.',
  },
  'fetch-pending-max': {
    kind: 'count',
    default: 200_000,
    min: 1,
    max: 10_000_000,
    description: 'Most keys being read or waiting to be; beyond it requests get RESOURCE_EXHAUSTED at once.',
  },
  'look-up-jobs-max': {
    kind: 'count',
    default: 2,
    min: 1,
    max: 64,
    description: 'Look-ups in the history at a time, for entities without a row online (onMiss).',
  },
  'look-up-batch-max': {
    kind: 'count',
    default: 100,
    min: 1,
    max: 10_000,
    description: 'Most entities in one such look-up; more go out as several, one after the other.',
  },
  'hedge-after': {
    kind: 'duration',
    default: 0,
    min: 0,
    max: MINUTE,
    description:
      'How long the primary may take before a replica is asked too for CACHED reads, whose rows are then not cached. 0: never.',
  },
  'hedge-budget': {
    kind: 'count',
    default: 5,
    min: 0,
    max: 100,
    description:
      'Most reads, of a hundred, that are asked of a replica too. 100: a replica answers whenever a primary does not.',
  },
  'replica-lag-max': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 1,
    max: DAY,
    description:
      'How far a replica may lag behind its primary; rows changed within it, as far as this instance knows, are read from the primary alone.',
  },
  'log-faults-max': {
    kind: 'count',
    default: 10,
    min: 1,
    max: 100_000,
    description: 'Most log lines a second about degraded answers; the next line says how many were left out.',
  },
  'fetch-timeout': {
    kind: 'duration',
    default: 2 * SECOND,
    min: 1,
    max: 5 * MINUTE,
    description:
      'How long the online store has to answer a read; after it its slots are UNAVAILABLE. Below the deadlines of clients, who else lose the slots that are there too.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
