/** The options of what moves rows between the stores: the archiver, and syncs. */
import type { OptionSpec } from '../option-value.ts'
import { GiB, HOUR, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const ARCHIVING_OPTIONS = {
  'archive-lease': {
    kind: 'duration',
    default: 3 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description:
      'How long an instance keeps its shards for archiving without saying so again; the shards of a killed one are taken over after it.',
  },
  'archive-interval': {
    kind: 'duration',
    default: 2 * SECOND,
    min: 1,
    max: HOUR,
    description: 'How long a row may wait for others before the offline commit.',
  },
  'archive-shards-at-once': {
    kind: 'count',
    default: 16,
    min: 1,
    max: 1024,
    description: 'Shards whose outbox the archiver reads or trims side by side.',
  },
  'archive-batch-rows': {
    kind: 'count',
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description:
      'Most rows in one batch of the archiver, which its shards share; so many pending rows start one at once.',
  },
  'archive-batch-bytes': {
    kind: 'bytes',
    default: 32 * MiB,
    min: KiB,
    max: GiB,
    description:
      'Most bytes in one batch of the archiver, which its shards share; so many pending bytes start one at once.',
  },
  'archive-retry-min': {
    kind: 'duration',
    default: 200,
    min: 1,
    max: MINUTE,
    description: 'Delay before the first retry after the offline store failed; it doubles with each further one.',
  },
  'archive-retry-max': {
    kind: 'duration',
    default: 30 * SECOND,
    min: 1,
    max: HOUR,
    description: 'Longest delay between retries after the offline store failed.',
  },
  'commit-attempts-max': {
    kind: 'count',
    default: 100,
    min: 1,
    max: 10_000,
    description: 'How often a commit that lost to another writer is tried again before it is given up with ABORTED.',
  },
  'log-reads-max': {
    kind: 'count',
    default: 16,
    min: 1,
    max: 256,
    description: "Entries of a table's log read side by side.",
  },
  'sync-seed-rows': {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 100_000,
    description: 'Rows a sync brings online in one batch; other writes get their turn in between.',
  },
  'sync-pass-rows': {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 100_000_000,
    description:
      'Most entities that a sync or a rebuild reads from the history at a time; their rows wait in the spool folder.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
