/** The Redis servers and Clusters that other tests rely on do what their names say. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashSlot } from '../support/redis/hash-slot.mjs'
import { isAlive } from '../support/redis/is-alive.mjs'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import { startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'

const MODULE = new URL('../support/redis/redis-process.mjs', import.meta.url).href

/** A Node process that runs this program; its first line of output. */
async function nodeProgram(program: string, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, line }
}

describe('one server', () => {
  test('comes back with its data after it was killed', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    await redis.command('SET', 'a', Buffer.from('1'))
    await redis.kill()
    expect([redis.state, redis.pid]).toEqual(['stopped', undefined])
    await expect(redis.command('PING')).rejects.toThrow('ECONNREFUSED')
    await redis.restart()
    expect(await redis.command('GET', 'a')).toBe('1')
    await redis.dispose()
  })

  test('accepts and does not answer while paused; goes on when resumed', async () => {
    const redis = await startRedis({ password: 'secret' })
    redis.pause()
    const answer = redis.command('INCR', 'n')
    expect(await Promise.race([answer, new Promise((resolve) => setImmediate(resolve, 'nothing'))])).toBe('nothing')
    redis.resume()
    expect(await answer).toBe('1')
    await redis.stop()
    await redis.dispose()
  })

  test('an error reply rejects; a port in use and an unknown flag are told from the log', async () => {
    const redis = await startRedis()
    await expect(redis.command('INCR')).rejects.toThrow(/wrong number of arguments/)
    await expect(startRedis({ port: redis.port })).rejects.toThrow(/Address already in use/)
    await redis.dispose()
    await expect(startRedis({ args: ['--no-such-flag', 1] })).rejects.toThrow(/no-such-flag/)
  })

  test.each(['process.exit(0)', 'process.kill(process.pid, "SIGTERM")'])('ends with its process: %s', async (end) => {
    const { child, line } = await nodeProgram(`
      import { startRedis } from '${MODULE}'
      const redis = await startRedis()
      process.stdout.write(redis.pid + '\\n', () => { ${end} })`)
    await once(child, 'exit')
    await until(`process ${line} gone`, 5000, () => !isAlive(Number(line)))
  })

  test('without redis-server says what to install', async () => {
    const { line } = await nodeProgram(
      `import { startRedis } from '${MODULE}'
      await startRedis().catch((error) => console.log(JSON.stringify(error.message)))`,
      { PATH: '/nonexistent' },
    )
    expect(line).toContain('apt-get install -y --no-install-recommends redis-server')
  })
})

describe('a Cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster?.dispose())

  test('three primaries, a replica each, every slot held, keys where hashSlot says', async () => {
    const roles = await cluster.roles()
    expect(roles.map((each) => each.role).sort()).toEqual([...Array(3).fill('primary'), ...Array(3).fill('replica')])
    const held = roles.flatMap((each) => each.slots).reduce((sum, [first, last]) => sum + last - first + 1, 0)
    expect(held).toBe(16_384)
    for (const key of ['plain', '{default:7}airport_daily/x', '{}odd']) {
      const primary = await cluster.primaryOf(key)
      expect(await primary.command('CLUSTER', 'KEYSLOT', key)).toBe(String(hashSlot(key)))
      expect(await primary.command('SET', key, 'v')).toBe('OK')
      expect(await cluster.replicasOf(key)).toHaveLength(1)
    }
  })

  test('a slot moves with its keys, also when the move was left midway', async () => {
    const source = await cluster.primaryOf('{moved}')
    const target = cluster.nodes.slice(0, 3).find((node) => node !== source)!
    for (let i = 0; i < 25; i++) await source.command('SET', `{moved}${i}`, i)
    for await (const step of cluster.moveSlotInSteps(hashSlot('{moved}'), target.port, 10)) {
      if (step === 'keys') break
    }
    expect(await source.command('CLUSTER', 'COUNTKEYSINSLOT', hashSlot('{moved}'))).toBe('15')
    const gone = await Promise.allSettled(Array.from({ length: 25 }, (_, i) => source.command('GET', `{moved}${i}`)))
    expect(gone.filter((got) => got.status === 'rejected' && /^ASK /.test(got.reason.message))).toHaveLength(10)
    await cluster.moveSlot(hashSlot('{moved}'), target.port)
    expect(await cluster.primaryOf('{moved}')).toBe(target)
    expect(await target.command('GET', '{moved}24')).toBe('24')
    await cluster.waitHealthy()
  })

  test('a replica takes over for a killed primary, which comes back as a replica and is made primary again', async () => {
    const killed = await cluster.primaryOf('key')
    const [replica] = await cluster.replicasOf('key')
    await killed.kill()
    await expect(cluster.waitHealthy(0)).rejects.toThrow('a healthy Redis Cluster')
    expect(await cluster.primaryOf('key')).toBe(replica)
    await killed.restart()
    await cluster.waitHealthy()
    expect(await cluster.replicasOf('key')).toEqual([killed])
    await cluster.failover(killed.port)
    expect(await cluster.primaryOf('key')).toBe(killed)
  })
})
