/** The options of an embedded online store. */
import type { OptionSpec } from '../option-value.ts'
import { GiB, MiB } from '../units.ts'

export const LMDB_OPTIONS = {
  'lmdb-durability': {
    kind: 'choice',
    default: 'machine',
    choices: ['machine', 'process'],
    description:
      'What an acknowledged write survives: a loss of power too (flushed to disk first), or the end of the process only.',
  },
  'lmdb-bytes-max': {
    kind: 'bytes',
    default: 64 * GiB,
    min: MiB,
    max: 16384 * GiB,
    description: 'Most live data in the embedded store; beyond it writes are refused and reads go on.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
