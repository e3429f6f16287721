/** A link to servers of the harness, with times fit for a Cluster whose node timeout is 1500 ms. */

import { systemClock } from '../../src/lib/clock.ts'
import type { LinkOptions, RedisLocation } from '../../src/online/redis/connect/link-options.ts'
import { openRedisLink } from '../../src/online/redis/connect/open-link.ts'
import type { RedisCommand, RedisLink, RedisReply, SendOptions } from '../../src/online/redis/redis-link.ts'
import { until } from '../support/redis/until.mjs'

interface Served {
  readonly port: number
}

export const READ: SendOptions = { timeoutMs: 2000, attempts: 'once' }
export const WRITE: SendOptions = { timeoutMs: 20_000, attempts: 'repeat' }

export function at(nodes: readonly Served[], kind: 'standalone' | 'cluster' = 'standalone'): RedisLocation {
  return { kind, nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })), database: 0, tls: false }
}

export function linkTo(location: RedisLocation, options: Partial<LinkOptions> = {}): Promise<RedisLink> {
  return openRedisLink({
    location,
    trackedPrefix: '{t:',
    replicaReads: false,
    connectTimeoutMs: 2000,
    heartbeatMs: 100,
    silenceMaxMs: 1000,
    topologyIntervalMs: 500,
    clock: systemClock,
    ...options,
  })
}

export const get = (key: string): RedisCommand => ({ name: 'GET', args: [key] })
export const set = (key: string, value: string | number): RedisCommand => ({ name: 'SET', args: [key, value] })
export const text = (reply: RedisReply): string | undefined => (reply === null ? undefined : String(reply))

/** What a link reports of changes, in order. */
export class Heard {
  readonly all: (readonly Buffer[] | 'all')[] = []
  readonly stop: () => void

  constructor(link: RedisLink) {
    this.stop = link.watch((changed) => this.all.push(changed))
  }

  get keys(): string[] {
    return this.all.flatMap((changed) => (changed === 'all' ? [] : changed.map(String)))
  }

  get flushes(): number {
    return this.all.filter((changed) => changed === 'all').length
  }

  key(key: string): Promise<unknown> {
    return until(`news of ${key}`, 10_000, () => this.keys.includes(key))
  }

  /** Tracking may be about to begin: the key is written until it is heard of. */
  keyWrittenAt(node: { command(...args: string[]): Promise<string> }, key: string): Promise<unknown> {
    return until(`news of ${key}`, 20_000, async () => {
      await node.command('SET', key, '1')
      return this.keys.includes(key)
    })
  }

  flush(moreThan = 0): Promise<unknown> {
    return until('"all"', 20_000, () => this.flushes > moreThan)
  }
}
