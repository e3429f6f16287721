import { expect, test } from 'vitest'
import { nearestName } from '../../src/lib/nearest-name.ts'

const KNOWN = ['airport_daily', 'route_daily', 'airport_status', 'delay_risk']

test.each([
  ['airport_dayly', 'airport_daily'],
  ['route_dialy', 'route_daily'],
  ['Delay_Risk', 'delay_risk'],
  ['airport_statuss', 'airport_status'],
  ['zzz', undefined],
  ['', undefined],
])('%s means %s', (typed, meant) => {
  expect(nearestName(typed, KNOWN)).toBe(meant)
})
