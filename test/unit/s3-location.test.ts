import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { s3Location } from '../../src/config/s3-location.ts'
import { storeFolders } from '../../src/config/store-location.ts'

const parse = (offline: string, flags: Record<string, string> = {}) =>
  s3Location(loadConfig({ flags: { offline, ...flags }, environment: {} }))

test('a bucket, with and without a prefix; AWS unless an endpoint is given', () => {
  expect(parse('s3://features')).toEqual({ bucket: 'features', prefix: '', pathStyle: false })
  expect(parse('s3://features/team a/x/', { 's3-region': 'eu-west-1' })).toEqual({
    bucket: 'features',
    prefix: 'team a/x/',
    pathStyle: false,
    region: 'eu-west-1',
  })
})

test('an endpoint is spoken to by path and in us-east-1, unless told otherwise', () => {
  const endpoint = 'http://127.0.0.1:9000'
  expect(parse('s3://features', { 's3-endpoint': `${endpoint}/` })).toEqual({
    bucket: 'features',
    prefix: '',
    endpoint,
    region: 'us-east-1',
    pathStyle: true,
  })
  const flags = { 's3-endpoint': endpoint, 's3-region': 'auto', 's3-path-style': 'never' }
  expect(parse('s3://features', flags)).toMatchObject({ region: 'auto', pathStyle: false })
})

test('another kind of store is another adapter', () => {
  expect(parse('file:/tmp/x')).toBeUndefined()
  expect(parse('')).toBeUndefined()
})

test.each([
  ['s3:features', {}, 's3://bucket'],
  ['s3://', {}, 'not the name of a bucket'],
  ['s3://Not_A bucket/x', {}, 'not the name of a bucket'],
  ['s3://features/a//b', {}, 'empty name'],
  ['s3://features/../b', {}, 'empty name'],
  ['s3://features/a?b', {}, 'character of URLs'],
  ['s3://features', { 's3-endpoint': '127.0.0.1:9000' }, 'http://host:port'],
  ['s3://features', { 's3-endpoint': 'ftp://x' }, 'http://host:port'],
  ['s3://features', { 's3-endpoint': 'http://x:9000/features' }, 'goes into --offline'],
])('%s with %j is refused: %s', (offline, flags, message) => {
  expect(() => parse(offline, flags)).toThrow(message)
})

test('keys in the wrong place are refused and not shown', () => {
  for (const [offline, flags] of [
    ['s3://AKIA:hush@features', {}],
    ['s3://features', { 's3-endpoint': 'http://AKIA:hush@x:9000' }],
    ['S4://AKIA:hush@features', {}],
  ] as const) {
    const config = loadConfig({ flags: { offline, ...flags }, environment: {} })
    const refused = () => storeFolders(config)
    expect(refused).toThrow()
    expect(refused).not.toThrow(/hush/)
  }
})
