/** What both kinds of connections to Redis keep: the one of ioredis for everything, and the one for reads. */
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { Connection, ConnectionOptions } from '../../src/online/redis/connect/connection.ts'
import { openConnection, openReadConnection } from '../../src/online/redis/connect/open-connection.ts'
import type { RedisReply } from '../../src/online/redis/redis-link.ts'
import { hostileRedis } from '../support/redis/hostile-redis.ts'
import type { RedisProcess } from '../support/redis/redis-process.d.mts'
import { startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { at, get, set } from './redis-link-fixture.ts'

type Open = (port: number, options?: Partial<ConnectionOptions>) => Promise<Connection>

const KINDS: readonly (readonly [string, Open])[] = [
  ['any command', (port, options) => openConnection({ host: '127.0.0.1', port }, optionsFor(port, options))],
  [
    'reads',
    (port, options) => openReadConnection({ host: '127.0.0.1', port }, optionsFor(port, options), { mayLag: false }),
  ],
]

let redis: RedisProcess
const cleanups: (() => unknown)[] = []
beforeAll(async () => {
  redis = await startRedis({ password: 'right' })
})
afterAll(() => redis.dispose())
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

function optionsFor(port: number, options: Partial<ConnectionOptions> = {}): ConnectionOptions {
  return { location: at([{ port }]), tlsCa: undefined, connectTimeoutMs: 5000, clock: systemClock, ...options }
}

function loggedIn(port: number, database = 0): Partial<ConnectionOptions> {
  return { location: { ...at([{ port }]), password: 'right', database } }
}

describe.each(KINDS)('a connection for %s', (_kind, open) => {
  test('logs in, and answers in the order in which it was asked', async () => {
    const connection = await open(redis.port, loggedIn(redis.port, 3))
    cleanups.push(() => connection.close())
    const large = 'x'.repeat(300_000)
    const [stored, nonsense, both, one] = await Promise.allSettled([
      connection.send(set('a', large)),
      connection.send({ name: 'NONSENSE', args: [] }),
      connection.send({ name: 'MGET', args: ['a', 'none'] }),
      connection.send({ name: 'GET', args: [], encoded: Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\na\r\n') }),
    ])
    expect(stored).toEqual({ status: 'fulfilled', value: Buffer.from('OK') })
    expect(nonsense).toMatchObject({ reason: { code: 'ERR', node: `127.0.0.1:${redis.port}` } })
    const [found, none] = fulfilled(both) as readonly RedisReply[]
    expect([String(found) === large, none]).toEqual([true, null])
    expect(String(fulfilled(one)) === large).toBe(true)
    expect(connection.stuckMs(systemClock.monotonicMs())).toBe(0)
  })

  test('a reply stays what it was, however many are read after it', async () => {
    const connection = await open(redis.port, loggedIn(redis.port, 4))
    cleanups.push(() => connection.close())
    const texts = Array.from({ length: 300 }, (_, index) => `${index} `.repeat(40 + 7 * (index % 100)))
    await Promise.all(texts.map((text, index) => connection.send(set(`key-${index}`, text))))
    const replies: RedisReply[] = []
    // One after the other, so that each comes in a read of its own; half a megabyte in all.
    for (let index = 0; index < texts.length; index++) replies.push(await connection.send(get(`key-${index}`)))
    expect(replies.map(String)).toEqual(texts)
  })

  test('is refused with what Redis says', async () => {
    await expect(open(redis.port)).rejects.toMatchObject({ name: 'RedisReplyError', code: 'NOAUTH' })
    const wrong = { ...at([redis]), password: 'wrong' }
    await expect(open(redis.port, { location: wrong })).rejects.toMatchObject({ code: 'WRONGPASS' })
    await expect(open(redis.port, loggedIn(redis.port, 99))).rejects.toThrow(/DB index/)
  })

  test('fails the commands that have no reply when it ends, and those that come later', async () => {
    const connection = await open(redis.port, loggedIn(redis.port))
    const waiting = connection.send({ name: 'BLPOP', args: ['none', 0] })
    connection.close()
    await expect(waiting).rejects.toMatchObject({ name: 'LinkFault', kind: 'closed' })
    await expect(connection.send(get('a'))).rejects.toMatchObject({ kind: 'closed' })
    const other = await open(redis.port, loggedIn(redis.port))
    const lost = expect(other.send({ name: 'BLPOP', args: ['none', 0] })).rejects.toMatchObject({ kind: 'lost' })
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    await lost
    expect(await other.ended).toMatchObject({ kind: 'lost' })
  })

  test('has been stuck since the last bytes of a reply, not since it was asked', async () => {
    const pieces: Socket[] = []
    const { port } = await hostileRedis((socket, request) => {
      if (!request.includes('GET')) return void socket.write('+PONG\r\n')
      pieces.push(socket)
      socket.write('$6\r\nabc')
    })
    const connection = await open(port)
    cleanups.push(() => connection.close())
    const reply = connection.send(get('a'))
    await until('it is stuck', 10_000, () => pieces.length > 0 && connection.stuckMs(systemClock.monotonicMs()) > 100)
    const before = connection.stuckMs(systemClock.monotonicMs())
    pieces[0]!.write('d')
    await until('it goes on', 10_000, () => connection.stuckMs(systemClock.monotonicMs()) < before)
    pieces[0]!.write('ef\r\n')
    expect(String(await reply)).toBe('abcdef')
  })

  test('ends when the other side hangs, closes, or is no Redis', async () => {
    const { port: hanging } = await hostileRedis(() => undefined)
    await expect(open(hanging, { connectTimeoutMs: 200 })).rejects.toThrow(
      `127.0.0.1:${hanging} did not answer within 200 ms (redis-connect-timeout)`,
    )
    const { port: rude } = await hostileRedis((socket) => socket.destroy())
    await expect(open(rude)).rejects.toMatchObject({ name: 'LinkFault', kind: 'lost' })
    const { port: nonsense } = await hostileRedis((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await expect(open(nonsense)).rejects.toMatchObject({ name: 'LinkFault', kind: 'lost' })
  })
})

test('a reply that nobody asked for ends a connection for reads: the next would be taken for another command', async () => {
  const [, open] = KINDS[1]!
  const { port } = await hostileRedis((socket) => socket.write('+PONG\r\n+PONG\r\n'))
  const connection = await open(port)
  expect((await connection.ended).message).toContain('it replies though nothing was asked')
  await expect(connection.send(get('a'))).rejects.toMatchObject({ kind: 'lost' })
})

test('a connection for reads does not take what waits for replicas', async () => {
  const [, open] = KINDS[1]!
  const connection = await open(redis.port, loggedIn(redis.port))
  cleanups.push(() => connection.close())
  expect(() => connection.send(set('a', 1), { count: 1, timeoutMs: 1 })).toThrow(/not sent by a connection for reads/)
})

function fulfilled(reply: PromiseSettledResult<RedisReply>): RedisReply {
  return (reply as PromiseFulfilledResult<RedisReply>).value
}
