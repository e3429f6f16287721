/** The options of the write path: the limits of a write, of the outbox, and of what is remembered for retries. */
import type { OptionSpec } from '../option-value.ts'
import { DAY, GiB, KiB, MINUTE, MiB, SECOND } from '../units.ts'

export const WRITING_OPTIONS = {
  'write-rows-max': {
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: 'Most rows in one write.',
  },
  'write-turn-max': {
    kind: 'duration',
    default: 2,
    min: 1,
    max: SECOND,
    description: 'How long checking and encoding a write may go on before other requests get their turn.',
  },
  'value-bytes-max': {
    kind: 'bytes',
    default: MiB,
    min: 1,
    max: 64 * MiB,
    description: 'Largest single value.',
  },
  'row-bytes-max': {
    kind: 'bytes',
    default: 4 * MiB,
    min: KiB,
    max: 256 * MiB,
    description: 'Largest row.',
  },
  'entity-key-bytes-max': {
    kind: 'bytes',
    default: 512,
    min: 16,
    max: 1024,
    description: 'Longest entity key; the embedded store takes keys of up to 1978 bytes with the view name.',
  },
  'event-time-ahead-max': {
    kind: 'duration',
    default: DAY,
    min: 0,
    max: 3650 * DAY,
    description: "How far an event timestamp may lie ahead of the server's clock.",
  },
  'outbox-rows-max': {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 1_000_000_000,
    description: 'Most rows that wait for the offline store; beyond it writes are refused and reads go on.',
  },
  'outbox-bytes-max': {
    kind: 'bytes',
    default: GiB,
    min: KiB,
    max: 1024 * GiB,
    description: 'Most bytes that wait for the offline store; beyond it writes are refused and reads go on.',
  },
  'write-id-retention': {
    kind: 'duration',
    default: DAY,
    min: MINUTE,
    max: 30 * DAY,
    description: 'How long a write id is remembered, so that a retry changes nothing.',
  },
  'write-ids-max': {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    description: 'Most write ids remembered; above it the oldest are forgotten first.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
