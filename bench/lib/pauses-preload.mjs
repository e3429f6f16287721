/**
 * Loaded into a process that is measured (`node --import`): writes what makes it pause to the file that `BENCH_PAUSES` names,
 * `<file>.<pid>`, a JSON object a line with the wall time in milliseconds as `at`.
 *
 *     { at, gc, ms, forced }                 a collection of garbage, by kind; `at` is its beginning
 *     { at, ticks, late }                    how often in the second before it was looked whether the event loop is free, and by
 *                                            how many milliseconds it was late when it was not
 *     { at, rss, heapUsed, external, alive } bytes; `alive` after a full collection, which SIGUSR2 asks for
 *
 * The event loop is asked every 10 ms. A pause of 100 ms is late for ten of these looks, by 100, 90, 80 ms and so on, and each is
 * counted: `late` is what calls wait that come in at any time, not how many pauses there were.
 */
import { createWriteStream } from 'node:fs'
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 10
const LATE_MS_MIN = 1
const WRITE_MS = 1000
/** By the bit that `perf_hooks` has for it. */
const KINDS = {
  1: 'scavenge',
  2: 'minor mark-compact',
  4: 'mark-compact',
  8: 'incremental marking',
  16: 'weak callbacks',
}
const FORCED_FLAGS = 4 | 16

const file = process.env.BENCH_PAUSES
if (file !== undefined) observe(createWriteStream(`${file}.${process.pid}`))

function observe(out) {
  const write = (record) => out.write(`${JSON.stringify(record)}\n`)
  const wallMs = (monotonicMs) => Math.round(performance.timeOrigin + monotonicMs)
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration, detail } of list.getEntries()) {
      const forced = (detail.flags & FORCED_FLAGS) !== 0
      write({ at: wallMs(startTime), gc: KINDS[detail.kind] ?? String(detail.kind), ms: rounded(duration), forced })
    }
  })
  observer.observe({ entryTypes: ['gc'] })

  let dueMs = performance.now() + LOOK_MS
  let ticks = 0
  let late = []
  const look = () => {
    const nowMs = performance.now()
    for (; dueMs <= nowMs; dueMs += LOOK_MS) {
      ticks++
      if (nowMs - dueMs > LATE_MS_MIN) late.push(rounded(nowMs - dueMs))
    }
    setTimeout(look, dueMs - nowMs).unref()
  }
  setTimeout(look, LOOK_MS).unref()

  const memory = (alive) => {
    const { rss, heapUsed, external } = process.memoryUsage()
    write({ at: wallMs(performance.now()), rss, heapUsed, external, alive })
  }
  setInterval(() => {
    write({ at: wallMs(performance.now()), ticks, late })
    ticks = 0
    late = []
    memory(false)
  }, WRITE_MS).unref()

  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  process.on('SIGUSR2', () => {
    collect()
    memory(true)
  })
}

function rounded(ms) {
  return Math.round(ms * 1000) / 1000
}
