/** The options of work that repeats. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../units.ts'

export const SCHEDULE_OPTIONS = {
  'keep-online-interval': {
    kind: 'duration',
    default: HOUR,
    min: SECOND,
    max: 7 * DAY,
    description:
      'How often a view that keeps only some entities online (keepOnline) is brought to that, besides after each sync.',
  },
  'schedule-running-max': {
    kind: 'count',
    default: 1,
    min: 1,
    max: 100,
    description:
      'Scheduled tasks (syncs, compactions, comparisons, statistics) that an instance runs at the same time.',
  },
  'schedule-look-interval': {
    kind: 'duration',
    default: SECOND,
    min: 10,
    max: MINUTE,
    description: 'How often an instance looks whether a task of the views that are its own is due.',
  },
  'schedule-retry-min': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 10,
    max: HOUR,
    description: 'Delay before a scheduled task that failed is tried again; it doubles with each further failure.',
  },
  'schedule-retry-max': {
    kind: 'duration',
    default: 15 * MINUTE,
    min: 10,
    max: DAY,
    description:
      'Longest delay before a scheduled task that failed is tried again; never longer than its own interval.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
