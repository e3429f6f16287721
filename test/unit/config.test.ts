import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadClientConfig } from '../../src/config/client-config.ts'
import { type ConfigSources, environmentName, loadConfig } from '../../src/config/load-config.ts'
import { OPTION_GROUPS, OPTIONS, type OptionName } from '../../src/config/option-table.ts'
import { formatOption, parseOption } from '../../src/config/option-value.ts'
import { optionsReference } from '../../src/config/reference.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-config-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function load(sources: Partial<ConfigSources> & { yaml?: string }): ReturnType<typeof loadConfig> {
  const { yaml, ...rest } = sources
  if (yaml !== undefined) writeFileSync(join(dir, 'c.yaml'), yaml)
  return loadConfig({
    flags: {},
    environment: {},
    ...(yaml === undefined ? {} : { file: join(dir, 'c.yaml') }),
    ...rest,
  })
}

test('without sources every option has its default', () => {
  const config = load({})
  for (const [name, spec] of Object.entries(OPTIONS)) expect(config[name as OptionName]).toBe(spec.default)
})

test('every option is in one group', () => {
  const names = Object.values(OPTION_GROUPS).flatMap((group) => Object.keys(group))
  expect(names).toEqual(Object.keys(OPTIONS))
})

test('a flag wins over the environment, the environment over YAML', () => {
  const yaml = 'cache-ttl: 1s\ncache-bytes: 2MiB\ngrpc: 127.0.0.1:1'
  const environment = { TWINSTORE_CACHE_TTL: '2s', TWINSTORE_CACHE_BYTES: '3MiB', HOME: '/x' }
  const config = load({ yaml, environment, flags: { 'cache-ttl': '3s' } })
  expect([config['cache-ttl'], config['cache-bytes'], config.grpc]).toEqual([3000, 3 * 2 ** 20, '127.0.0.1:1'])
})

test('TWINSTORE_CONFIG names the YAML file', () => {
  const file = join(dir, 'named.yaml')
  writeFileSync(file, 'cache-ttl: 7s')
  expect(load({ environment: { TWINSTORE_CONFIG: file } })['cache-ttl']).toBe(7000)
})

test('every fault is in one message, with where it came from', () => {
  const attempt = (): unknown =>
    load({
      yaml: 'cache-tll: 1s\nentities-max: many',
      environment: { TWINSTORE_CACHE_BYTES: '12 parsecs', TWINSTORE_LOG_LEVEL: 'loud' },
      flags: { grpc: 'nowhere', 'drain-timeout': '11m' },
    })
  expect(attempt).toThrow(/cache-tll: there is no such option; did you mean cache-ttl\?/)
  expect(attempt).toThrow(/entities-max: "many" is not a whole number/)
  expect(attempt).toThrow(/TWINSTORE_CACHE_BYTES: "12 parsecs" is not a size/)
  expect(attempt).toThrow(/TWINSTORE_LOG_LEVEL: "loud" is not one of fatal/)
  expect(attempt).toThrow(/--grpc: "nowhere" is not host:port/)
  expect(attempt).toThrow(/--drain-timeout: 11m is above the maximum 10m/)
})

test('relations between options are checked', () => {
  expect(() => load({ flags: { 'value-bytes-max': '8MiB' } })).toThrow(
    /value-bytes-max must not be above row-bytes-max/,
  )
  expect(() => load({ flags: { 'cache-ttl': '5s' } })).not.toThrow()
  expect(() => load({ flags: { 'cache-ttl': '5s', 'hedge-after': '20ms' } })).toThrow(
    /replica-lag-max and fetch-timeout together must not be above cache-ttl/,
  )
})

test('what is to be encrypted is never served plain', () => {
  const pair = (edge: string) => ({ [`${edge}-tls-cert`]: 'a.pem', [`${edge}-tls-key`]: 'a.key' })
  for (const name of ['cert', 'key', 'client-ca']) {
    expect(() => load({ flags: { [`grpc-tls-${name}`]: 'a' } })).toThrow(/give both grpc-tls-cert and grpc-tls-key/)
    expect(() => load({ flags: { [`http-tls-${name}`]: 'a' } })).toThrow(/need --http: nothing is served over HTTP/)
  }
  expect(() => load({ flags: { ...pair('grpc'), 'grpc-tls-client-ca': 'a', transport: 'grpc-js' } })).not.toThrow()
  expect(() => load({ flags: { ...pair('http'), http: '127.0.0.1:1', transport: 'grpc-js' } })).not.toThrow()
})

test('what a command asks is taken from flags, then the environment, and is no option of the server', () => {
  const environment = { TWINSTORE_ADDRESS: 'b:2', TWINSTORE_TLS: 'on', TWINSTORE_TLS_CA: 'ca.pem' }
  const asked = loadClientConfig({ flags: { address: 'a:1', tls: undefined, 'tls-ca': undefined }, environment })
  expect(asked).toMatchObject({ address: 'a:1', tls: 'on', 'tls-ca': 'ca.pem', 'tls-cert': '' })
  expect(loadClientConfig({ flags: { tls: true }, environment: {} })).toMatchObject({
    address: load({}).grpc,
    tls: 'on',
  })
  expect(() => load({ environment })).not.toThrow()
  const broken = { TWINSTORE_ADDRESS: 'b', TWINSTORE_TLS: 'yes' }
  const attempt = () => loadClientConfig({ flags: {}, environment: broken })
  expect(attempt).toThrow(/TWINSTORE_ADDRESS: "b" is not host:port/)
  expect(attempt).toThrow(/TWINSTORE_TLS: "yes" is not on or off/)
})

test('a YAML file that cannot be read or is no mapping is named', () => {
  expect(() => load({ file: join(dir, 'absent.yaml') })).toThrow(/absent\.yaml: cannot be read/)
  expect(() => load({ yaml: '- a' })).toThrow(/expected option names with values/)
})

test('the configuration is frozen', () => {
  expect(Object.isFrozen(load({}))).toBe(true)
})

test('a formatted value is read back as itself, and defaults are in range', () => {
  for (const spec of Object.values(OPTIONS)) {
    const parsed = parseOption(spec, formatOption(spec, spec.default))
    expect(parsed).toEqual({ ok: true, value: spec.default })
  }
})

test('environment names are upper case with underscores', () => {
  expect(environmentName('cache-ttl')).toBe('TWINSTORE_CACHE_TTL')
})

test('docs/options.md is what the table says', () => {
  expect(readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8')).toBe(optionsReference())
})
