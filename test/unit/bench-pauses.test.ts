/** What the soak makes of its measurements, and that a process that loads the preload writes what is read. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collectionsIn, loopDelaysIn, memoryIn, readPauses } from '../../bench/lib/pauses.mjs'
import { slopeOf } from '../../bench/lib/slope.mjs'

const PRELOAD = new URL('../../bench/lib/pauses-preload.mjs', import.meta.url).href

test('a line is found exactly, and its interval is a point', () => {
  const points = [0, 1, 2, 5, 9].map((x): [number, number] => [x, 3 - 2 * x])
  const { slope, low, high } = slopeOf(points)
  expect([slope, low, high]).toEqual([-2, -2, -2].map((value) => expect.closeTo(value, 9)))
})

test('the interval is that of the textbook', () => {
  // Slope 0.6, residuals -0.2, 0.2, 0.6, -1, 0.4: s = sqrt(1.6 / 3), over sqrt(10); t of three degrees of freedom is 3.18.
  const { slope, low, high } = slopeOf([
    [1, 2.6],
    [2, 3.6],
    [3, 4.6],
    [4, 3.6],
    [5, 5.6],
  ])
  expect(slope).toBeCloseTo(0.6)
  const half = 3.18 * Math.sqrt(1.6 / 3 / 10)
  expect([low, high]).toEqual([0.6 - half, 0.6 + half].map((value) => expect.closeTo(value, 9)))
  expect(() => slopeOf([[1, 1]])).toThrow('no interval')
})

test('collections count by kind within the time, and those that were asked for do not', () => {
  const gc = (at: number, ms: number, forced = false) => ({ at, gc: 'scavenge', ms, forced })
  const records = [gc(999, 50), gc(1000, 1), gc(1500, 3), gc(1600, 99, true), gc(2000, 50)]
  expect([...collectionsIn(records, 1000, 2000)]).toEqual([
    ['scavenge', { count: 2, p50_ms: 1, p99_ms: 3, max_ms: 3, total_ms: 4, share_percent: 0.4 }],
  ])
})

test('looks that were on time count among those that were not', () => {
  const late = Array.from({ length: 20 }, (_, index) => index + 1)
  const records = [
    { at: 10, ticks: 500, late },
    { at: 20, ticks: 500, late: [] },
    { at: 99, ticks: 100, late: [1000] },
  ]
  expect(loopDelaysIn(records, 0, 99)).toEqual({ count: 1000, p50_ms: 0, p99_ms: 10, p999_ms: 19, max_ms: 20 })
})

test('a process writes its pauses, and what is alive when it is asked', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'twinstore-pauses-'))
  try {
    const file = join(dir, 'pauses')
    const busy = `
      const end = performance.now() + 1500
      const turn = () => {
        const until = performance.now() + 30
        while (performance.now() < until) Array.from({ length: 1000 }, () => ({}))
        if (performance.now() < end) setTimeout(turn, 5)
        else process.kill(process.pid, 'SIGUSR2')
      }
      turn()
      const untilAsked = setInterval(() => {}, 1000)
      process.on('SIGUSR2', () => clearInterval(untilAsked))`
    const pid = await new Promise<number>((resolve, reject) => {
      const args = ['--import', PRELOAD, '--input-type=module', '-e', busy]
      const child = execFile(process.execPath, args, { env: { ...process.env, BENCH_PAUSES: file } }, (error) =>
        error ? reject(error) : resolve(child.pid!),
      )
    })
    const records = readPauses(file, pid)
    const all = [0, Number.POSITIVE_INFINITY] as const
    expect(collectionsIn(records, ...all).get('scavenge')!.count).toBeGreaterThan(0)
    const { count, max_ms } = loopDelaysIn(records, ...all)
    expect(count).toBeGreaterThan(0)
    expect(max_ms).toBeGreaterThan(5)
    expect(memoryIn(records, ...all, true)).toEqual([
      expect.objectContaining({ rss: expect.any(Number), heapUsed: expect.any(Number), external: expect.any(Number) }),
    ])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
