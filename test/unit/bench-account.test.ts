/** What benchmarks say of the processor time: sums over profiles of V8, and accounts of the machine between two looks. */
import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { ACCOUNT_FIGURES, accountFigures } from '../../bench/lib/account-figures.mjs'
import { accountBetween, lookAtProcessors } from '../../bench/lib/cpu-account.mjs'
import { samplesByCategory } from '../../bench/lib/cpu-profile.mjs'
import { countsOf } from '../../bench/lib/perf-samples.mjs'
import {
  categoryOfLoad,
  categoryOfServer,
  LOAD_CATEGORIES,
  SERVER_CATEGORIES,
} from '../../bench/lib/profile-categories.mjs'

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url },
  children,
})
const PROFILE = {
  startTime: 1000,
  nodes: [
    node(1, '(root)', '', [2, 3, 4]),
    node(2, '(idle)', ''),
    node(3, '(garbage collector)', ''),
    node(4, 'received', 'file:///x/dist/http2/socket-shell.js', [5, 6]),
    node(5, 'serve', 'file:///x/dist/serving/serving.js', [7]),
    node(6, 'write', 'node:internal/streams/writable', [8]),
    node(7, 'set', ''),
    node(8, 'writev', ''),
  ],
  samples: [4, 5, 7, 8, 2, 3, 6, 4],
  timeDeltas: [100, 100, 100, 100, 100, 100, 100, 100],
}

test('samples count for what their function is for, and without a file for their caller', () => {
  const counts = samplesByCategory(PROFILE, { beganMicros: 0, endedMicros: 10_000 }, categoryOfServer)
  expect(Object.fromEntries(counts)).toEqual({
    'HTTP/2': 2,
    'request and answer': 2,
    writes: 1,
    idle: 1,
    'garbage collection': 1,
    'sockets in Node': 1,
  })
})

test('samples outside of the measured time do not count', () => {
  const counts = samplesByCategory(PROFILE, { beganMicros: 1200, endedMicros: 1400 }, categoryOfServer)
  expect(Object.fromEntries(counts)).toEqual({ 'request and answer': 2 })
})

test.each([
  ['file:///x/dist/serving/row-slabs.js', 'L1'],
  ['file:///x/dist/serving/send-flights.js', 'fetch of misses'],
  ['file:///x/dist/online/redis/connect/router.js', 'Redis link'],
  ['file:///x/dist/grpc/server-call.js', 'gRPC'],
  ['file:///x/dist/lib/crc32.js', 'checksum of rows'],
  ['node:internal/timers', 'promises, timers, clocks'],
  ['file:///x/dist/config/load-config.js', 'other'],
])('%s is for %s', (url, category) => {
  expect(categoryOfServer({ name: 'any', url })).toBe(category)
  expect(SERVER_CATEGORIES).toContain(category)
})

test('the load generator has categories of its own', () => {
  expect(categoryOfLoad({ name: 'any', url: 'file:///x/bench/load/http2/connection.mjs' })).toBe('HTTP/2')
  expect(categoryOfLoad({ name: 'any', url: 'file:///x/bench/load/run.mjs' })).toBe('pace and count')
  expect(LOAD_CATEGORIES).not.toContain('idle')
})

const SAMPLES = `2881
\tffffffff81a0 tcp_sendmsg_locked ([kernel.kallsyms])
\tffffffff81b0 vfs_write ([kernel.kallsyms])
\t     11a2b3 __GI___libc_write (/usr/lib/libc.so.6)
\t7ffac6e2340f JS:*writeGeneric node:internal/stream_base_commons:147:22 (/tmp/perf-2881.map)

2881
\t         15299fe Builtins_FindOrderedHashMapEntry (/usr/bin/node)
\t    7ffac6e2340f JS:*get file:///x/dist/serving/row-cache.js:89:8 (/tmp/perf-2881.map)
\t    7ffac6e2615d JS:*serve file:///x/dist/serving/serving.js:44:19 (/tmp/perf-2881.map)

2883
\t         15299fe v8::internal::ScavengerCollector::JobTask::Run (/usr/bin/node)

2881
\t         15299fe uv__io_poll (/usr/bin/node)

`

test('samples of perf count for the system call, the collector, or the JavaScript that they were taken in', () => {
  expect(Object.fromEntries(countsOf(SAMPLES, categoryOfServer))).toEqual({
    'kernel: write': 1,
    L1: 1,
    'garbage collection': 1,
    'outside of JavaScript': 1,
  })
})

const look = (atMicros: number, idleTicks: number, seconds: number) => ({
  atMicros,
  idleTicks,
  groups: {
    server: { seconds, mainSeconds: seconds / 2, user: 100 * seconds, system: 50 * seconds, reads: 10, writes: 20 },
  },
})

test('the shares of groups, the rest and idle time make the whole machine', () => {
  const cores = availableParallelism()
  const account = accountBetween(look(0, 0, 1), look(1e6, 25 * cores, 1 + cores / 2))
  expect(account.server).toMatchObject({ coreShare: 0.5, seconds: cores / 2, mainSeconds: cores / 4, reads: 0 })
  expect(account.server.systemShare).toBeCloseTo(1 / 3)
  expect(account.idle.coreShare).toBeCloseTo(0.25)
  expect(account.rest.coreShare).toBeCloseTo(0.25)
})

test('a look at this process sees what it does', () => {
  const before = lookAtProcessors({ load: [process.pid] })
  while (process.hrtime.bigint() / 1000n < BigInt(before.atMicros + 20_000));
  const account = accountBetween(before, lookAtProcessors({ load: [process.pid] }))
  expect(account.load.seconds).toBeGreaterThan(0.001)
  expect(account.load.reads).toBeGreaterThan(0)
})

test('figures of an account are those it is said to bring, also of a time in which no call ended', () => {
  const group = { coreShare: 0.2, seconds: 0.1, systemShare: 0.5, reads: 3, writes: 4 }
  const account = {
    calls: 0,
    server: group,
    load: group,
    redis: group,
    rest: { coreShare: 0.1 },
    idle: { coreShare: 0 },
  }
  const figures = accountFigures('at_most.', [account])
  expect(Object.keys(figures).sort()).toEqual(ACCOUNT_FIGURES.map((name) => `at_most.${name}`).sort())
  for (const { median } of Object.values(figures)) expect(median).toEqual(expect.any(Number))
})
