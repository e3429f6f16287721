/** The options of feature statistics. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, SECOND } from '../units.ts'

export const STATISTICS_OPTIONS = {
  'statistics-on-sync': {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    description: 'Whether the features of a view are described after each sync that added rows, in the background.',
  },
  'statistics-window': {
    kind: 'duration',
    default: 30 * DAY,
    min: SECOND,
    max: 3650 * DAY,
    description:
      'Span of event time, up to the newest event, that statistics are of unless asked for another; they are compared with the span of this length before it.',
  },
  'statistics-top-values': {
    kind: 'count',
    default: 20,
    min: 1,
    max: 1000,
    description: 'Most values of a string feature that are counted by name; the others are counted together.',
  },
  'statistics-exact-rows-max': {
    kind: 'count',
    default: 5_000_000,
    min: 0,
    max: 1_000_000_000,
    description:
      'Most rows of a window whose quantiles are exact, which needs 8 bytes of memory for each; beyond them they are estimates.',
  },
  'statistics-shifting': {
    kind: 'count',
    default: 10,
    min: 0,
    max: 1000,
    description: 'Population stability index, in hundredths, from which a feature is called shifting.',
  },
  'statistics-drifted': {
    kind: 'count',
    default: 25,
    min: 0,
    max: 1000,
    description: 'Population stability index, in hundredths, from which a feature is called drifted.',
  },
  'statistics-kept-max': {
    kind: 'count',
    default: 100,
    min: 1,
    max: 10_000,
    description: 'Most statistics documents kept of a view; the oldest go first.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
