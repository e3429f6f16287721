import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { redisLocation } from '../../src/config/redis-location.ts'
import { storeFolders } from '../../src/config/store-location.ts'

const NONE = { 'redis-username': '', 'redis-password': '', 'redis-tls-ca': '' }
const parse = (online: string, options: Partial<typeof NONE> = {}) => redisLocation({ online, ...NONE, ...options })

test('one server, with and without port, database and login', () => {
  const plain = { kind: 'standalone', database: 0, tls: false }
  expect(parse('redis://cache:7000')).toEqual({ ...plain, nodes: [{ host: 'cache', port: 7000 }] })
  expect(parse('redis://cache')).toEqual({ ...plain, nodes: [{ host: 'cache', port: 6379 }] })
  expect(parse('rediss://u%40x:p%2F%3A@10.0.0.1:1/3')).toEqual({
    kind: 'standalone',
    nodes: [{ host: '10.0.0.1', port: 1 }],
    database: 3,
    tls: true,
    username: 'u@x',
    password: 'p/:',
  })
  expect(parse('redis://[::1]:7000/')?.nodes).toEqual([{ host: '::1', port: 7000 }])
})

test('a Cluster has several hosts', () => {
  expect(parse('rediss+cluster://:pw@a:1,b:2,[fe80::1]:3', { 'redis-tls-ca': 'ca.pem' })).toEqual({
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
      { host: 'fe80::1', port: 3 },
    ],
    database: 0,
    tls: true,
    tlsCaFile: 'ca.pem',
    password: 'pw',
  })
})

test('the login of the URL goes before the options', () => {
  const options = { 'redis-username': 'option', 'redis-password': 'option-pw' }
  expect(parse('redis://url:url-pw@a', options)).toMatchObject({ username: 'url', password: 'url-pw' })
  expect(parse('redis://url@a', options)).toMatchObject({ username: 'url', password: 'option-pw' })
  expect(parse('redis://a', options)).toMatchObject({ username: 'option', password: 'option-pw' })
})

test('other stores are not its business', () => {
  for (const online of ['', 'lmdb:/x', 'redisx://a', 'postgres://a']) expect(parse(online)).toBeUndefined()
})

test('a mistyped scheme does not put the password into the message', () => {
  const config = { ...loadConfig({ flags: { online: 'Redis://u:SECRET@a' }, environment: {} }) }
  expect(() => storeFolders(config)).toThrow(
    '"Redis://...@a" is not a store this version knows; give lmdb:<folder>, redis:',
  )
})

test('each fault is named, the password never', () => {
  const faults: [string, string][] = [
    ['redis:cache', 'must be followed by //host:port'],
    ['redis://u:SECRET@', '"" is not host:port'],
    ['redis://u:SECRET@a:99999', '"a:99999" is not host:port'],
    ['redis://u:SECRET@::1:7000', '"::1:7000" is not host:port (an IPv6 address goes in brackets)'],
    ['redis://u:SECRET@a:1,b:2', '2 hosts are given for one server; a Cluster is redis+cluster://'],
    ['redis+cluster://u:SECRET@a:1,,b:2', '"" is not host:port'],
    ['redis+cluster://u:SECRET@a:1/2', 'a Redis Cluster has only database 0, not 2'],
    ['redis://u:SECRET@a/x', '"x" is not a database number'],
    ['redis://u:SECRET@a/1/2', 'nothing may follow the database number'],
    ['redis://u:SECRET@a/1?x=y', 'nothing may follow the database number'],
    ['redis://u:SECRET%@a', 'the password is not percent-encoded'],
  ]
  for (const [online, problem] of faults) {
    const act = () => parse(online)
    expect(act, online).toThrow(problem)
    expect(act, online).not.toThrow('SECRET')
  }
})
