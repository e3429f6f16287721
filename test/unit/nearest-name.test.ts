import { expect, test } from 'vitest'
import { didYouMean, nearestName } from '../../src/lib/nearest-name.ts'

const known = ['mean_delay', 'max_delay', 'late_share', 'flights']

test('a typing error finds the name that was meant', () => {
  expect(nearestName('mean_dealy', known)).toBe('mean_delay')
  expect(nearestName('lateshare', known)).toBe('late_share')
  expect(nearestName('flight', known)).toBe('flights')
})

test('a swap of neighbours is one edit', () => {
  expect(nearestName('ba', ['ab'])).toBe('ab')
})

test('a name unlike all others, or far too long, suggests nothing', () => {
  expect(nearestName('temperature', known)).toBeUndefined()
  expect(nearestName('x'.repeat(10_000), known)).toBeUndefined()
  expect(didYouMean('temperature', known)).toBe('')
})

test('the suggestion is worded for the end of a message', () => {
  expect(didYouMean('mean_delays', known)).toBe('; did you mean mean_delay?')
})
