/**
 * A thread that sleeps until a call of an open loop is due and then wakes the event loop.
 *
 * A timer of Node's has a resolution of a millisecond, more than an answer takes. To ask the clock in every turn of the event loop
 * (setImmediate) is exact and burns a core, one of the two that the server and its store have. A thread can sleep by
 * the microsecond: calls leave about 0.1 ms late at the median, for some 40 µs of processor time each time it wakes.
 * Calls that are due within a grain of each other leave together.
 */
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { arrivals } from './pace.mjs'

const GRAIN_MS = 0.1
const STOPPED = 0
const RUNG = 1

/**
 * Resolves when the thread is there. `start(startedMs, wake)` has `wake` called at the times of `pace`, counted from `startedMs` of
 * performance.now(), until `endMs` after it.
 */
export async function openMetronome(pace, endMs) {
  const cells = new Int32Array(new SharedArrayBuffer(8))
  const thread = new Worker(new URL(import.meta.url), { workerData: { pace, endMs, cells } })
  await once(thread, 'online')
  return {
    start(startedMs, wake) {
      thread.on('message', () => {
        Atomics.store(cells, RUNG, 0)
        wake()
      })
      thread.postMessage(performance.timeOrigin + startedMs)
    },
    async stop() {
      Atomics.store(cells, STOPPED, 1)
      Atomics.notify(cells, STOPPED)
      await thread.terminate()
    },
  }
}

function keepTime(startedAt, { pace, endMs, cells }) {
  const now = () => performance.timeOrigin + performance.now() - startedAt
  let rungMs = Number.NEGATIVE_INFINITY
  for (const dueMs of arrivals(pace)) {
    if (dueMs >= endMs) return
    // It was due when the event loop was last woken.
    if (dueMs <= rungMs) continue
    const sleepMs = Math.max(dueMs, rungMs + GRAIN_MS) - now()
    if (sleepMs > 0) Atomics.wait(cells, STOPPED, 0, sleepMs)
    if (Atomics.load(cells, STOPPED) === 1) return
    rungMs = now()
    // Not again while the event loop has not come to the last one.
    if (Atomics.exchange(cells, RUNG, 1) === 0) parentPort.postMessage(null)
  }
}

if (workerData?.cells !== undefined) parentPort.once('message', (startedAt) => keepTime(startedAt, workerData))
