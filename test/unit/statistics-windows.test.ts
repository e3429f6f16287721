import { expect, test } from 'vitest'
import { chosenWindows } from '../../src/statistics/windows.ts'

const NEWEST = 1_000_000_000

const chosen = (asked: Parameters<typeof chosenWindows>[0]) => {
  const { window, reference } = chosenWindows(asked, NEWEST, 10_000)
  return [window.fromMicros, window.untilMicros, reference.fromMicros, reference.untilMicros]
}

test('without times: the newest event and as long before it as the option says; the reference right before that', () => {
  expect(chosen({})).toEqual([999_991_000, 1_000_001_000, 999_981_000, 999_991_000])
})

test('what is given stays, and the rest follows from it', () => {
  expect(chosen({ fromMicros: 999_000_000 })).toEqual([999_000_000, 1_000_001_000, 997_999_000, 999_000_000])
  expect(chosen({ untilMicros: 500_000 })).toEqual([490_000, 500_000, 480_000, 490_000])
  expect(chosen({ fromMicros: 100, untilMicros: 400 })).toEqual([100, 400, -200, 100])
  expect(chosen({ referenceFromMicros: 5 })).toEqual([999_991_000, 1_000_001_000, 5, 999_991_000])
  expect(chosen({ referenceUntilMicros: 70_000 })).toEqual([999_991_000, 1_000_001_000, 60_000, 70_000])
  expect(chosen({ fromMicros: 0, untilMicros: 10, referenceFromMicros: 100, referenceUntilMicros: 120 })).toEqual([
    0, 10, 100, 120,
  ])
})

test('a window from beyond the newest event on has no rows and is still a window', () => {
  const [from, until] = chosen({ fromMicros: 2_000_000_000 })
  expect(until).toBeGreaterThan(from!)
})

test('a window that ends before it begins is refused by name', () => {
  expect(() => chosen({ fromMicros: 10, untilMicros: 10 })).toThrow('the window of the statistics must begin')
  expect(() => chosen({ referenceFromMicros: NEWEST + 5 })).toThrow('the reference window of the statistics must begin')
})
