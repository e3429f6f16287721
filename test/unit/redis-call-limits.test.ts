/** What ends commands: those that began together end together, each is told once, and who left is not told. */
import { expect, test } from 'vitest'
import { CallLimits, type Ending } from '../../src/online/redis/connect/call-limits.ts'
import { FakeClock } from './serving-fixture.ts'

function ended(): { readonly ending: Ending; readonly by: string[] } {
  const by: string[] = []
  return { ending: { timedOut: () => by.push('time'), aborted: () => by.push('signal') }, by }
}

test('commands end by their time; one that has left is not told, a later one has its own time', () => {
  const clock = new FakeClock()
  const limits = new CallLimits(clock)
  const [first, second, later] = [ended(), ended(), ended()]
  limits.begin(first.ending, 100, undefined)
  limits.begin(second.ending, 100, undefined).leave(second.ending)
  clock.advance(50)
  limits.begin(later.ending, 100, undefined)
  clock.advance(50)
  expect([first.by, second.by, later.by]).toEqual([['time'], [], []])
  clock.advance(50)
  expect([first.by, second.by, later.by]).toEqual([['time'], [], ['time']])
})

test('a signal ends its own commands and nobody else, and their time does not end them again', () => {
  const clock = new FakeClock()
  const limits = new CallLimits(clock)
  const { signal, abort } = controller()
  const [own, other] = [ended(), ended()]
  limits.begin(own.ending, 100, signal)
  limits.begin(other.ending, 100, undefined)
  abort()
  expect([own.by, other.by]).toEqual([['signal'], []])
  clock.advance(100)
  expect([own.by, other.by]).toEqual([['signal'], ['time']])
})

test('a command that begins in the same moment after all others have left has a time of its own', () => {
  const clock = new FakeClock()
  const limits = new CallLimits(clock)
  const [first, next] = [ended(), ended()]
  limits.begin(first.ending, 100, undefined).leave(first.ending)
  limits.begin(next.ending, 100, undefined)
  clock.advance(100)
  expect([first.by, next.by]).toEqual([[], ['time']])
})

function controller(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const made = new AbortController()
  return { signal: made.signal, abort: () => made.abort() }
}
