/** Log lines that repeat, with a clock that a test moves. */
import { expect, test } from 'vitest'
import { repeatedLines } from '../../src/observe/repeated-lines.ts'

const INTERVAL_MS = 10_000

function bench(linesMax = 3) {
  let nowMs = 0
  const timers: { readonly dueMs: number; readonly callback: () => void }[] = []
  const clock = {
    after(delayMs: number, callback: () => void) {
      timers.push({ dueMs: nowMs + delayMs, callback })
      return { cancel: () => undefined }
    },
  }
  const log: string[] = []
  const write = repeatedLines(clock, { linesMax, intervalMs: INTERVAL_MS }, (reason, leftOut) =>
    log.push(`${reason}: ${leftOut} more`),
  )
  return {
    log,
    timers,
    line: (reason: string, text = reason) => write(reason, () => log.push(text)),
    pass(ms: number) {
      nowMs += ms
      const due = timers.filter(({ dueMs }) => dueMs <= nowMs)
      for (const timer of due) timers.splice(timers.indexOf(timer), 1)
      for (const { callback } of due) callback()
    },
  }
}

test('so many lines of a reason are written, and then how many more there were', () => {
  const { log, line, pass } = bench()
  for (let index = 0; index < 1237; index++) line('ping', `ping ${index}`)
  expect(log).toEqual(['ping 0', 'ping 1', 'ping 2'])
  pass(INTERVAL_MS)
  expect(log.splice(0)).toEqual(['ping 0', 'ping 1', 'ping 2', 'ping: 1234 more'])
  line('ping', 'again')
  expect(log).toEqual(['again'])
})

test('what was not left out is not summed up, and nothing is kept of it', () => {
  const { log, line, pass, timers } = bench()
  for (let index = 0; index < 3; index++) line('ping')
  pass(INTERVAL_MS)
  expect(log).toEqual(['ping', 'ping', 'ping'])
  expect(timers).toEqual([])
})

test('a reason that floods the log leaves the others their lines', () => {
  const { log, line } = bench()
  for (let index = 0; index < 100; index++) line('ping')
  line('settings')
  expect(log).toEqual(['ping', 'ping', 'ping', 'settings'])
})

test('reasons without number are one', () => {
  const { log, line, timers } = bench(1)
  for (let index = 0; index < 1000; index++) line(`reason ${index}`)
  expect(log).toHaveLength(101)
  expect(timers).toHaveLength(101)
})
