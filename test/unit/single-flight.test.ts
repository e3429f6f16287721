import { expect, test } from 'vitest'
import { singleFlight } from '../../src/lib/single-flight.ts'

test('calls during one share its outcome, and the next one begins anew', async () => {
  const settle: ((error?: Error) => void)[] = []
  const flight = singleFlight(
    () =>
      new Promise<number>((resolve, reject) => {
        const number = settle.length
        settle.push((error) => (error === undefined ? resolve(number) : reject(error)))
      }),
  )
  const first = [flight(), flight()]
  settle[0]!()
  expect(await Promise.all(first)).toEqual([0, 0])
  const second = [flight(), flight()]
  settle[1]!(new Error('no'))
  expect((await Promise.allSettled(second)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const third = flight()
  settle[2]!()
  expect(await third).toBe(2)
})
