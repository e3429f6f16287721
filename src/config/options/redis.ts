/** The options of an online store in Redis. */
import type { OptionSpec } from '../option-value.ts'
import { GiB, MINUTE, MiB, SECOND } from '../units.ts'

export const REDIS_OPTIONS = {
  'redis-username': {
    kind: 'text',
    default: '',
    placeholder: 'name',
    description: 'User to log in as; the one in the URL of `online` goes before it.',
  },
  'redis-password': {
    kind: 'text',
    default: '',
    placeholder: 'secret',
    description: 'Password; better given as TWINSTORE_REDIS_PASSWORD than as a flag that every process list shows.',
  },
  'redis-tls-ca': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Certificates (PEM) to trust for rediss. Empty: those of the system.',
  },
  'redis-read-from': {
    kind: 'choice',
    default: 'primary',
    choices: ['primary', 'replica'],
    description:
      'Where CACHED reads are answered; a replica lags behind acknowledged writes, see replica-lag-max. FRESH reads ask the primary.',
  },
  'redis-wait-replicas': {
    kind: 'count',
    default: 0,
    min: 0,
    max: 16,
    description:
      'Replicas that must have a write before it is acknowledged, and a row before it is archived; 0: the primary alone.',
  },
  'redis-wait-timeout': {
    kind: 'duration',
    default: SECOND,
    min: 1,
    max: MINUTE,
    description: 'How long those replicas have; after it the write is UNAVAILABLE, its fate unknown.',
  },
  'redis-connect-timeout': {
    kind: 'duration',
    default: 2 * SECOND,
    min: 10,
    max: MINUTE,
    description: 'How long a connection may take to be made.',
  },
  'redis-write-timeout': {
    kind: 'duration',
    default: 8 * SECOND,
    min: 10,
    max: 5 * MINUTE,
    description: 'How long a write is tried again while its shard fails over; nothing is written twice by that.',
  },
  'redis-heartbeat': {
    kind: 'duration',
    default: 200,
    min: 10,
    max: 10 * SECOND,
    description: 'Time between two pings on each connection.',
  },
  'redis-silence-max': {
    kind: 'duration',
    default: SECOND,
    min: 50,
    max: MINUTE,
    description:
      'Silence after which a node is given up until it answers again: its slots are UNAVAILABLE at once, and a late answer is not trusted. Below cluster-node-timeout.',
  },
  'redis-topology-interval': {
    kind: 'duration',
    default: SECOND,
    min: 50,
    max: MINUTE,
    description: 'Time between two looks at which node holds what; a failure or a redirection brings one at once.',
  },
  'redis-pending-bytes-max': {
    kind: 'bytes',
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    description: 'Most bytes of writes that wait for Redis; beyond it writes are refused.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
