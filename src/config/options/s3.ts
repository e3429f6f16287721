/** The options of an offline store in S3. */
import type { OptionSpec } from '../option-value.ts'
import { GiB, MINUTE, MiB, SECOND } from '../units.ts'

export const S3_OPTIONS = {
  's3-endpoint': {
    kind: 'text',
    default: '',
    placeholder: 'url',
    description: 'A store other than AWS S3, as http://host:port. Empty: AWS S3 in the region.',
  },
  's3-region': {
    kind: 'text',
    default: '',
    placeholder: 'name',
    description:
      'Region of the bucket. Empty: us-east-1 for an endpoint given, else that of the environment or the profile.',
  },
  's3-path-style': {
    kind: 'choice',
    default: 'auto',
    choices: ['auto', 'always', 'never'],
    description:
      'Whether the bucket goes into the path (always) or into the host name (never). auto: into the path for an endpoint given.',
  },
  's3-connections-max': {
    kind: 'count',
    default: 32,
    min: 1,
    max: 1024,
    description: 'Requests at a time; the others wait.',
  },
  's3-connect-timeout': {
    kind: 'duration',
    default: 2 * SECOND,
    min: 10,
    max: MINUTE,
    description: 'How long a connection may take to be made.',
  },
  's3-request-timeout': {
    kind: 'duration',
    default: 10 * SECOND,
    min: 10,
    max: 10 * MINUTE,
    description:
      'How long an answer may take to begin, and its body to go on; for a request with a body once more per MiB.',
  },
  's3-attempts-max': {
    kind: 'count',
    default: 6,
    min: 1,
    max: 100,
    description: 'Attempts of one request that fails for a reason that may pass.',
  },
  's3-retry-min': {
    kind: 'duration',
    default: 100,
    min: 1,
    max: MINUTE,
    description: 'Pause before the second attempt; it doubles with each further one.',
  },
  's3-retry-max': {
    kind: 'duration',
    default: 5 * SECOND,
    min: 1,
    max: 10 * MINUTE,
    description: 'Longest pause between attempts.',
  },
  's3-part-bytes': {
    kind: 'bytes',
    default: 16 * MiB,
    min: 5 * MiB,
    max: 4 * GiB,
    description: 'Files above this are uploaded in parts of it.',
  },
  's3-parts-at-once': {
    kind: 'count',
    default: 4,
    min: 1,
    max: 256,
    description: 'Parts of all uploads that are sent at a time.',
  },
  's3-cache-bytes': {
    kind: 'bytes',
    default: 16 * GiB,
    min: 16 * MiB,
    max: 16384 * GiB,
    description:
      'Most disk space for local copies of files, those that running jobs read among them; a job that needs more is refused.',
  },
  's3-cache-files-max': {
    kind: 'count',
    default: 100_000,
    min: 16,
    max: 10_000_000,
    description: 'Most local copies of files.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
