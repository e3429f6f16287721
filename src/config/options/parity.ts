/** The options of comparing the twins. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, HOUR } from '../units.ts'

export const PARITY_OPTIONS = {
  'parity-interval': {
    kind: 'duration',
    default: HOUR,
    min: 0,
    max: 30 * DAY,
    description: 'Between two comparisons of the stores over a part of the keys of each view. 0: none by itself.',
  },
  'parity-parts': {
    kind: 'count',
    default: 16,
    min: 1,
    max: 10_000,
    description: 'Parts of the keys, one of which such a comparison looks at; after so many everything was looked at.',
  },
  'parity-repair': {
    kind: 'choice',
    default: 'no',
    choices: ['no', 'yes'],
    description: 'Whether such a comparison also mends what it finds.',
  },
  'parity-faults-max': {
    kind: 'count',
    default: 0,
    min: 0,
    max: 1_000_000_000,
    description:
      'Faults of a view that are no problem yet: more, and more than parity-faults-per-million-max, are in the log and in the status.',
  },
  'parity-faults-per-million-max': {
    kind: 'count',
    default: 0,
    min: 0,
    max: 1_000_000,
    description: 'The same as a share: faults per million keys that were looked at.',
  },
  'parity-findings-max': {
    kind: 'count',
    default: 100,
    min: 1,
    max: 100_000,
    description: 'Faults of a view that a comparison describes one by one; all are counted.',
  },
  'parity-keys-max': {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description:
      'Most keys of a view in one comparison, about 150 bytes of memory each; a larger one takes a smaller sample.',
  },
  'parity-suspects-max': {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 100_000_000,
    description:
      'Most keys of a comparison that differ at first sight and are looked at again; the others are unchecked.',
  },
  'parity-batch-keys': {
    kind: 'count',
    default: 500,
    min: 1,
    max: 10_000,
    description: 'Keys that are looked at again, and mended, together.',
  },
  'parity-looks-max': {
    kind: 'count',
    default: 5,
    min: 1,
    max: 100,
    description: 'Looks at a key that is written to all the time, before it counts as pending.',
  },
  'parity-repairs-max': {
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 100_000_000,
    description: 'Most rows of a view that one comparison mends.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
