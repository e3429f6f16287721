/** Which requests make room when too many are under way. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ComingRequest, IncomingBudget } from '../../src/grpc/incoming-budget.ts'

const REQUEST_BYTES = 2048

class Request implements ComingRequest {
  older: ComingRequest | undefined = undefined
  younger: ComingRequest | undefined = undefined
  bytes = 0
  isGivenUp = false
  readonly #budget: IncomingBudget

  constructor(budget: IncomingBudget) {
    this.#budget = budget
    budget.enter(this, 0)
  }

  come(bytes: number): void {
    this.bytes += bytes
    this.#budget.goOn(this, bytes)
  }

  giveUp(problem: string): void {
    expect(problem).toContain('grpc-incoming-bytes-total-max')
    this.isGivenUp = true
    this.#budget.leave(this, this.bytes)
  }
}

test('the one that has not gone on for longest is given up first, as a plain list would have it', () => {
  const step = fc.record({ which: fc.nat(20), bytes: fc.integer({ min: 1, max: 5000 }), ends: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new IncomingBudget(30_000)
      const requests = new Map<number, Request>()
      let model: Request[] = []
      const trim = (): void => {
        const sum = () => model.reduce((total, { bytes }) => total + REQUEST_BYTES + bytes, 0)
        while (sum() > budget.bytesMax) model.shift()
      }
      for (const { which, bytes, ends } of steps) {
        let request = requests.get(which)
        if (request === undefined || request.isGivenUp || !model.includes(request)) {
          request = new Request(budget)
          requests.set(which, request)
          model.push(request)
          trim()
        }
        if (request.isGivenUp) continue
        if (ends) {
          budget.leave(request, request.bytes)
          model = model.filter((each) => each !== request)
          continue
        }
        request.come(bytes)
        model = [...model.filter((each) => each !== request), request]
        trim()
        for (const each of requests.values()) if (model.includes(each)) expect(each.isGivenUp).toBe(false)
        expect(budget.bytes).toBe(model.reduce((total, each) => total + REQUEST_BYTES + each.bytes, 0))
      }
    }),
  )
})
