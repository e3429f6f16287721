/** The link to one server: commands, tracking, loss of connections, silence. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { RedisLink } from '../../src/online/redis/redis-link.ts'
import type { RedisProcess } from '../support/redis/redis-process.d.mts'
import { startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { at, get, Heard, linkTo, READ, set, text, WRITE } from './redis-link-fixture.ts'

let redis: RedisProcess
let link: RedisLink

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.dispose())
afterEach(async () => {
  redis.resume()
  await link.close()
})

test('commands are answered with buffers, numbers, null and lists', async () => {
  link = await linkTo(at([redis]))
  expect(link.location).toBe(`redis://127.0.0.1:${redis.port}`)
  const bytes = Buffer.from([0, 255, 13, 10, 36])
  expect(text(await link.send('t:1', { name: 'SET', args: [Buffer.from('{t:1}a'), bytes] }, WRITE))).toBe('OK')
  expect(await link.send('t:1', { name: 'MGET', args: ['{t:1}a', '{t:1}none'] }, READ)).toEqual([bytes, null])
  expect(await link.send('t:1', { name: 'EXISTS', args: ['{t:1}a'] }, READ)).toBe(1)
  expect(await link.sendToPrimaries({ name: 'DBSIZE', args: [] }, 1000)).toEqual([
    { node: `127.0.0.1:${redis.port}`, reply: 1 },
  ])
})

test('an error of Redis rejects with its code and the node', async () => {
  link = await linkTo(at([redis]))
  const failure = link.send('t:1', { name: 'EVALSHA', args: ['0'.repeat(40), 0] }, WRITE)
  await expect(failure).rejects.toMatchObject({ code: 'NOSCRIPT', node: `127.0.0.1:${redis.port}` })
})

test('changed keys are heard, whoever changed them; a flush is all', async () => {
  link = await linkTo(at([redis]))
  const heard = new Heard(link)
  await redis.command('SET', '{t:1}mine', '1')
  await redis.command('SET', '{other}key', '1')
  await link.send('t:1', set('{t:1}own', 1), WRITE)
  await heard.key('{t:1}mine')
  await heard.key('{t:1}own')
  expect(heard.keys).not.toContain('{other}key')
  expect(heard.flushes).toBe(0)
  await redis.command('FLUSHALL')
  await heard.flush()
})

test('a listener that throws keeps no news from the others', async () => {
  link = await linkTo(at([redis]))
  const warned = new Promise((resolve) => process.once('warning', resolve))
  link.watch(() => {
    throw new Error('a listener is broken')
  })
  const heard = new Heard(link)
  await redis.command('SET', '{t:1}a', '1')
  await heard.key('{t:1}a')
  expect(await warned).toMatchObject({ message: 'a listener is broken' })
})

test('a lost tracking connection is news, and tracking goes on', async () => {
  link = await linkTo(at([redis]))
  const heard = new Heard(link)
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  // At once, and once more when it is on again.
  await heard.flush(1)
  await redis.command('SET', '{t:1}after', '1')
  await heard.key('{t:1}after')
})

test('lost data connections fail reads at most for a moment, and commands that may be repeated never', async () => {
  link = await linkTo(at([redis]))
  for (let round = 0; round < 10; round++) {
    const writes = Array.from({ length: 20 }, (_, n) => link.send('t:1', set(`{t:1}${n}`, round), WRITE))
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    await Promise.all(writes)
  }
  await until('a read', 5000, async () => text(await link.send('t:1', get('{t:1}3'), READ)) === '9')
})

test('a server that hangs is given up: reads fail at once, until it answers again', async () => {
  link = await linkTo(at([redis]))
  await link.send('t:1', set('{t:1}a', 1), WRITE)
  const heard = new Heard(link)
  redis.pause()
  const name = `127.0.0.1:${redis.port}`
  await expect(link.send('t:1', get('{t:1}a'), { ...READ, timeoutMs: 20_000 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    // The latter when this process did not run for so long just then, and had to connect anew.
    message: expect.stringMatching(`${name} (has not answered for more than 1000 ms|did not answer within 2000 ms)`),
  })
  await heard.flush()
  const before = performance.now()
  await expect(link.send('t:1', get('{t:1}a'), { ...READ, timeoutMs: 20_000 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining(name),
  })
  expect(performance.now() - before).toBeLessThan(2000)
  const write = link.send('t:1', set('{t:1}a', 2), WRITE)
  redis.resume()
  await write
  await until('a read', 10_000, async () => text(await link.send('t:1', get('{t:1}a'), READ)) === '2')
})

test('a stall of this process is no silence of the server: reads are asked again', async () => {
  link = await linkTo(at([redis]), { heartbeatMs: 50, silenceMaxMs: 200 })
  await link.send('t:1', set('{t:1}a', 'x'), WRITE)
  const asked = Array.from({ length: 20 }, () => link.send('t:1', get('{t:1}a'), READ))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  asked.push(link.send('t:1', get('{t:1}a'), READ))
  expect(new Set((await Promise.all(asked)).map(text))).toEqual(new Set(['x']))
})

test('timeouts, deadlines and cancelled signals end the waiting', async () => {
  link = await linkTo(at([redis]))
  redis.pause()
  const write = link.send('t:1', set('{t:1}a', 1), { ...WRITE, timeoutMs: 50 })
  await expect(write).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('within 50 ms') })
  await expect(write).rejects.toThrow('whether it was executed is unknown')
  const late = link.send('t:1', get('{t:1}a'), { ...READ, signal: AbortSignal.timeout(20) })
  await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  const cancelled = link.send('t:1', get('{t:1}a'), { ...READ, signal: AbortSignal.abort() })
  await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('a closed link says so', async () => {
  link = await linkTo(at([redis]))
  const pending = link.send('t:1', { name: 'BLPOP', args: ['{t:1}nothing', 0] }, WRITE)
  await link.close()
  const closed = { code: 'UNAVAILABLE', message: expect.stringContaining('is closed') }
  await expect(pending).rejects.toMatchObject(closed)
  await expect(link.send('t:1', get('a'), READ)).rejects.toMatchObject(closed)
  await expect(link.sendToPrimaries({ name: 'PING', args: [] }, 100)).rejects.toMatchObject(closed)
  await until(
    'no connections',
    5000,
    async () => (await redis.command('CLIENT', 'LIST')).trim().split('\n').length === 1,
  )
})
