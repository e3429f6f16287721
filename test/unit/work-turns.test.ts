import { expect, test } from 'vitest'
import { WorkTurns } from '../../src/lib/work-turns.ts'
import { ManualClock } from './writing-fixture.ts'

test('a turn is over when its time is, and the next one has as long again', async () => {
  const clock = new ManualClock()
  const turn = new WorkTurns(clock, 2).begin()
  clock.advance(1)
  expect(turn.isOver).toBe(false)
  clock.advance(1)
  expect(turn.isOver).toBe(true)
  await turn.next()
  expect(turn.isOver).toBe(false)
  clock.advance(2)
  expect(turn.isOver).toBe(true)
})

test('each round of the loop gives a turn to one that waits, in the order they came', async () => {
  const turns = new WorkTurns(new ManualClock(), 2)
  const journal: string[] = []
  let pieces = 0
  async function work(name: string): Promise<void> {
    const turn = turns.begin()
    for (let piece = 0; piece < 3; piece++) {
      await turn.next()
      journal.push(name)
      pieces++
    }
  }
  const mostInARound = new Promise<number>((resolve) => {
    let most = 0
    let before = 0
    const look = (): void => {
      most = Math.max(most, pieces - before)
      before = pieces
      if (pieces < 9) setImmediate(look)
      else resolve(most)
    }
    setImmediate(look)
  })
  await Promise.all(['a', 'b', 'c'].map(work))
  expect(journal.join('')).toBe('abcabcabc')
  expect(await mostInARound).toBe(1)
})
