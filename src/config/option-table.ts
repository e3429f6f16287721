/**
 * Every option of the server, once: the table makes the flags, the environment variables, the YAML keys, `--help` and
 * docs/options.md. Numbers that bound something are in its groups (`options/`) and nowhere else.
 */
import type { OptionSpec } from './option-value.ts'
import { ARCHIVING_OPTIONS } from './options/archiving.ts'
import { EDGE_OPTIONS } from './options/edge.ts'
import { LMDB_OPTIONS } from './options/lmdb.ts'
import { MAIN_OPTIONS } from './options/main.ts'
import { OFFLINE_OPTIONS } from './options/offline.ts'
import { PARITY_OPTIONS } from './options/parity.ts'
import { READING_OPTIONS } from './options/reading.ts'
import { REDIS_OPTIONS } from './options/redis.ts'
import { S3_OPTIONS } from './options/s3.ts'
import { SCHEDULE_OPTIONS } from './options/schedule.ts'
import { STATISTICS_OPTIONS } from './options/statistics.ts'
import { TLS_OPTIONS } from './options/tls.ts'
import { TRANSPORT_OPTIONS } from './options/transport.ts'
import { UPKEEP_OPTIONS } from './options/upkeep.ts'
import { WRITING_OPTIONS } from './options/writing.ts'

/** The groups by their headings, in the order of `--help` and docs/options.md. */
export const OPTION_GROUPS = {
  Main: MAIN_OPTIONS,
  Reading: READING_OPTIONS,
  Writing: WRITING_OPTIONS,
  Redis: REDIS_OPTIONS,
  Archiving: ARCHIVING_OPTIONS,
  Statistics: STATISTICS_OPTIONS,
  'Scheduled work': SCHEDULE_OPTIONS,
  Parity: PARITY_OPTIONS,
  'Embedded online store': LMDB_OPTIONS,
  'Upkeep of the offline tables': UPKEEP_OPTIONS,
  'Offline work': OFFLINE_OPTIONS,
  S3: S3_OPTIONS,
  Edge: EDGE_OPTIONS,
  TLS: TLS_OPTIONS,
  Transport: TRANSPORT_OPTIONS,
} as const

export const OPTIONS = {
  ...MAIN_OPTIONS,
  ...READING_OPTIONS,
  ...WRITING_OPTIONS,
  ...REDIS_OPTIONS,
  ...ARCHIVING_OPTIONS,
  ...STATISTICS_OPTIONS,
  ...SCHEDULE_OPTIONS,
  ...PARITY_OPTIONS,
  ...LMDB_OPTIONS,
  ...UPKEEP_OPTIONS,
  ...OFFLINE_OPTIONS,
  ...S3_OPTIONS,
  ...EDGE_OPTIONS,
  ...TLS_OPTIONS,
  ...TRANSPORT_OPTIONS,
} as const satisfies Readonly<Record<string, OptionSpec>>

export type OptionName = keyof typeof OPTIONS

type ValueOf<S extends OptionSpec> = S extends { kind: 'choice'; choices: readonly (infer C)[] }
  ? C
  : S extends { kind: 'text' | 'address' }
    ? string
    : number

/** All options by name; durations in milliseconds, sizes in bytes. */
export type Config = { readonly [N in OptionName]: ValueOf<(typeof OPTIONS)[N]> }

/** What must hold between options; each rule gives the problem, or undefined. */
export const RELATIONS: readonly ((config: Config) => string | undefined)[] = [
  (config) =>
    config['value-bytes-max'] > config['row-bytes-max'] ? 'value-bytes-max must not be above row-bytes-max' : undefined,
  (config) =>
    config['row-bytes-max'] > config['outbox-bytes-max']
      ? 'row-bytes-max must not be above outbox-bytes-max'
      : undefined,
  (config) =>
    config['write-rows-max'] > config['outbox-rows-max']
      ? 'write-rows-max must not be above outbox-rows-max'
      : undefined,
  (config) =>
    config['statistics-shifting'] > config['statistics-drifted']
      ? 'statistics-shifting must not be above statistics-drifted'
      : undefined,
  (config) => tlsProblem(config, 'grpc'),
  (config) => tlsProblem(config, 'http'),
  (config) =>
    config['s3-retry-min'] > config['s3-retry-max'] ? 's3-retry-min must not be above s3-retry-max' : undefined,
  (config) =>
    config['redis-heartbeat'] * 2 > config['redis-silence-max']
      ? 'redis-silence-max must be at least twice redis-heartbeat'
      : undefined,
  (config) =>
    (config['hedge-after'] > 0 || config['redis-read-from'] === 'replica') &&
    config['replica-lag-max'] + config['fetch-timeout'] > config['cache-ttl']
      ? 'replica-lag-max and fetch-timeout together must not be above cache-ttl when replicas are read: within it every change is seen'
      : undefined,
]

/** What was meant to be encrypted must not go out in the clear. */
function tlsProblem(config: Config, edge: 'grpc' | 'http'): string | undefined {
  const [cert, key, ca] = [`${edge}-tls-cert`, `${edge}-tls-key`, `${edge}-tls-client-ca`] as const
  if (config[cert] === '' && config[key] === '' && config[ca] === '') return undefined
  const named = `${cert}, ${key} and ${ca}`
  if (edge === 'http' && config.http === '') return `${named} need --http: nothing is served over HTTP`
  return config[cert] === '' || config[key] === ''
    ? `TLS needs a certificate and its key: give both ${cert} and ${key}, or none of ${named}`
    : undefined
}
