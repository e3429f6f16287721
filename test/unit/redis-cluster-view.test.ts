/** Which node holds a slot, from what several nodes say; and who may be believed after a silence. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type ClusterView,
  chooseMap,
  isVouchedFor,
  type NodeLine,
  parseClusterNodes,
  SLOTS,
} from '../../src/online/redis/connect/cluster-view.ts'
import { Trust } from '../../src/online/redis/connect/trust.ts'

const ASKED = { host: 'seed', port: 7000 }

test('lines of CLUSTER NODES of Redis 6 and 7', () => {
  const text = [
    'aaa 10.0.0.1:7001@17001,redis-1 myself,master - 0 0 3 connected 0-100 102 [103->-bbb] [5-<-ccc]',
    'bbb 10.0.0.2:7002@17002 slave,fail aaa 1 2 3 disconnected',
    'ccc :0@0 master,noaddr - 1 2 0 disconnected',
    'ddd 10.0.0.4:7004@17004 handshake - 0 0 0 connected',
    'eee fe80::1:7005@17005, master,fail? - 0 0 9 connected 200-16383',
    '',
  ].join('\n')
  expect(parseClusterNodes(text, ASKED, false)).toMatchObject([
    {
      id: 'aaa',
      name: '10.0.0.1:7001',
      primary: true,
      myself: true,
      configEpoch: 3,
      slots: [
        [0, 100],
        [102, 102],
      ],
    },
    { id: 'bbb', name: '10.0.0.2:7002', primary: false, primaryId: 'aaa', failed: true, slots: [] },
    { id: 'eee', name: '[fe80::1]:7005', address: { host: 'fe80::1', port: 7005 }, failed: false },
  ])
  expect(parseClusterNodes(text, ASKED, true)[0]).toMatchObject({ name: 'redis-1:7001' })
  const alone = parseClusterNodes('aaa :7001@17001 myself,master - 0 0 0 connected 0', ASKED, false)
  expect(alone).toMatchObject([{ name: 'seed:7001' }])
})

function node(id: string, changes: Partial<NodeLine> = {}): NodeLine {
  const address = { host: id, port: 1 }
  const base = { id, name: `${id}:1`, address, primary: true, primaryId: undefined, failed: false, myself: false }
  return { ...base, configEpoch: 1, slots: [], ...changes }
}

function view(informant: string, nodes: readonly NodeLine[], sentAtMs = 0): ClusterView {
  const own = nodes.map((line) => ({ ...line, myself: line.id === informant }))
  return { informant: `${informant}:1`, sentAtMs, nodes: own }
}

test('of two that claim a slot the greater epoch has it, whoever was asked last', () => {
  const past = [node('a', { configEpoch: 1, slots: [[0, 9]] }), node('b', { primary: false, primaryId: 'a' })]
  const present = [node('a', { primary: false, primaryId: 'b' }), node('b', { configEpoch: 2, slots: [[0, 9]] })]
  fc.assert(
    fc.property(fc.shuffledSubarray(['past', 'b', 'c'], { minLength: 3 }), (order) => {
      const views = order.map((who, at) =>
        who === 'past' ? view('a', past, at) : view(who, [...present, node('c')], at),
      )
      expect(chooseMap(views).holders[5]?.primary).toBe('b:1')
    }),
  )
})

test('a slot that nobody claims has no holder; replicas are those of its primary that have not failed', () => {
  const replicas = [
    node('r', { primary: false, primaryId: 'a' }),
    node('dead', { primary: false, primaryId: 'a', failed: true }),
    node('other', { primary: false, primaryId: 'b' }),
  ]
  const map = chooseMap([view('a', [node('a', { slots: [[0, SLOTS - 2]] }), ...replicas])])
  expect(map.holders[0]).toEqual({ primary: 'a:1', replicas: ['r:1'] })
  expect(map.holders[SLOTS - 1]).toBeUndefined()
  expect([...map.nodes.keys()]).toEqual(['a:1', 'r:1', 'dead:1', 'other:1'])
})

test('a node that the others have forgotten brings no nodes of another Cluster', () => {
  const ours = [node('a', { slots: [[0, 9]] }), node('b')]
  const theirs = [node('gone', { configEpoch: 99, slots: [[0, 9]] }), node('stranger')]
  const map = chooseMap([view('a', ours), view('b', ours), view('gone', theirs)])
  expect(map.holders[0]?.primary).toBe('a:1')
  expect([...map.nodes.keys()]).toEqual(['a:1', 'b:1'])
})

test('a node is vouched for by half of the others, asked after its silence, none of whom has it as failed', () => {
  const well = (informant: string, sentAtMs: number) => view(informant, [node('a'), node('b'), node('c')], sentAtMs)
  expect(isVouchedFor('a:1', 10, [well('b', 12), well('c', 11)], 2)).toBe(11)
  expect(isVouchedFor('a:1', 10, [well('b', 12), well('c', 9)], 2)).toBe(12)
  expect(isVouchedFor('a:1', 10, [well('b', 9), well('c', 9)], 2)).toBeUndefined()
  expect(isVouchedFor('a:1', 10, [well('a', 12)], 2)).toBeUndefined()
  expect(isVouchedFor('a:1', 10, [well('b', 12)], 3)).toBeUndefined()
  const failed = view('c', [node('a', { failed: true }), node('b'), node('c')], 12)
  expect(isVouchedFor('a:1', 10, [well('b', 12), failed], 2)).toBeUndefined()
  expect(isVouchedFor('a:1', 10, [well('b', 12), view('c', [node('c')], 12)], 2)).toBeUndefined()
})

/**
 * The rule against the model it is made for: a node runs, pauses and runs again; it may be deposed as soon as it has paused for
 * the node timeout; commands are answered in order, at any time while it runs.
 */
test('no reply is accepted that a deposed node could have made', () => {
  const NODE_TIMEOUT = 100
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: NODE_TIMEOUT - 1 }),
      fc.array(fc.record({ wait: fc.nat(60), pause: fc.nat(250), travel: fc.nat(40) }), { maxLength: 30 }),
      (silenceMaxMs, steps) => {
        const trust = new Trust(silenceMaxMs, 0)
        let nowMs = 0
        let ranAtMs = 0
        let isDeposed = false
        for (const { wait, pause, travel } of steps) {
          const sentAtMs = nowMs + wait
          // It pauses some time after it was last seen to run, and executes the command after that.
          const executedAtMs = sentAtMs + pause
          if (executedAtMs - ranAtMs >= NODE_TIMEOUT) isDeposed = true
          ranAtMs = executedAtMs
          nowMs = executedAtMs + travel
          if (trust.accept(sentAtMs, nowMs)) expect(isDeposed).toBe(false)
        }
      },
    ),
  )
})

test('while replies keep coming, each within the limit of the one before, all are accepted', () => {
  const trust = new Trust(100, 0)
  for (let at = 50; at < 5000; at += 50) expect(trust.accept(at - 5, at)).toBe(true)
  expect(trust.isBroken(5044)).toBe(false)
  expect(trust.isBroken(5046)).toBe(true)
  expect(trust.accept(5045, 5046)).toBe(false)
  expect(trust.accept(5046, 5047)).toBe(false)
})
