/** What workers tell each other of changed rows: in batches, in order, bounded; and how often they may be started anew. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import type { Invalidation } from '../../src/online/online-store.ts'
import { ChangeQueue } from '../../src/workers/change-queue.ts'
import { RestartBudget } from '../../src/workers/restart-budget.ts'

/** A channel that takes messages and holds on to them until it is told to let go. */
function stoppedChannel() {
  const sent: Invalidation[] = []
  const held: (() => void)[] = []
  return {
    sent,
    send: (changed: Invalidation, done: () => void) => {
      sent.push(changed)
      held.push(done)
    },
    resume: () => {
      for (const done of held.splice(0)) done()
    },
  }
}

const keys = (...names: string[]): RowKey[] => names as RowKey[]

test('the keys of a turn are one message', async () => {
  const channel = stoppedChannel()
  const queue = new ChangeQueue(channel.send, 10)
  queue.add(keys('a', 'b'))
  queue.add(keys('c'))
  expect(channel.sent).toEqual([])
  await turn()
  queue.add(keys('d'))
  await turn()
  expect(channel.sent).toEqual([keys('a', 'b', 'c'), keys('d')])
})

test('what is too much for a channel that is backed up becomes one `all`, sent when it is free', async () => {
  const channel = stoppedChannel()
  const queue = new ChangeQueue(channel.send, 3)
  queue.add(keys('a', 'b'))
  await turn()
  queue.add(keys('c', 'd'))
  for (let i = 0; i < 1000; i++) queue.add(keys(`more${i}`))
  await turn()
  expect(channel.sent).toEqual([keys('a', 'b')])
  channel.resume()
  await turn()
  expect(channel.sent).toEqual([keys('a', 'b'), 'all'])
  queue.add(keys('e'))
  await turn()
  expect(channel.sent.slice(2)).toEqual([keys('e')])
})

test('`all` swallows the keys of its turn', async () => {
  const channel = stoppedChannel()
  const queue = new ChangeQueue(channel.send, 3)
  queue.add(keys('a'))
  queue.add('all')
  queue.add(keys('b'))
  await turn()
  expect(channel.sent).toEqual(['all'])
})

test('a batch larger than the bound is `all`', async () => {
  const channel = stoppedChannel()
  new ChangeQueue(channel.send, 1).add(keys('a', 'b'))
  await turn()
  expect(channel.sent).toEqual(['all'])
})

test('restarts are counted over a sliding minute', () => {
  const budget = new RestartBudget(2)
  expect([0, 30_000, 59_999, 60_000, 60_001, 90_000].map((nowMs) => budget.spend(nowMs))).toEqual([
    true,
    true,
    false,
    true,
    false,
    true,
  ])
  expect(new RestartBudget(0).spend(0)).toBe(false)
})
