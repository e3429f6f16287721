/** The options of compaction, checkpoints and vacuum. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, HOUR, MINUTE, MiB } from '../units.ts'

export const UPKEEP_OPTIONS = {
  'checkpoint-every': {
    kind: 'count',
    default: 50,
    min: 0,
    max: 1_000_000,
    description:
      'Versions of a table between two checkpoints of its log, which spare readers the entries before them; 0: none are written.',
  },
  'compact-interval': {
    kind: 'duration',
    default: 10 * MINUTE,
    min: 0,
    max: 30 * DAY,
    description:
      'How often a table is looked at for small files to rewrite as larger ones; 0: never, and `twinstore compact` does it.',
  },
  'compact-files-min': {
    kind: 'count',
    default: 8,
    min: 2,
    max: 10_000,
    description:
      'Fewest small files of a partition that are worth rewriting by themselves; `twinstore compact` takes two.',
  },
  'compact-target-bytes': {
    kind: 'bytes',
    default: 128 * MiB,
    min: MiB,
    max: 16 * GiB,
    description: 'What compacted files grow to; files of at least half of it are left alone.',
  },
  'compact-batch-files': {
    kind: 'count',
    default: 1000,
    min: 2,
    max: 100_000,
    description: 'Most files that one commit of a compaction replaces; a crash loses the work of one.',
  },
  'compact-run-bytes-max': {
    kind: 'bytes',
    default: GiB,
    min: MiB,
    max: 1024 * GiB,
    description:
      'Most bytes of a table that are rewritten in one run, a few minutes of work; the rest is left for the next.',
  },
  'vacuum-interval': {
    kind: 'duration',
    default: DAY,
    min: 0,
    max: 30 * DAY,
    description:
      'How often files that no reader needs any more are deleted; 0: never, and `twinstore compact --vacuum` does it.',
  },
  'vacuum-files-max': {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 100_000_000,
    description: 'Most files of a table that are deleted in one run; the rest is left for the next.',
  },
  'vacuum-age': {
    kind: 'duration',
    default: 7 * DAY,
    min: HOUR,
    max: 3650 * DAY,
    description:
      'How long files stay that no table needs any more. Longer than any read and any upload takes: they may still be using them.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
