/**
 * The contract of `OnlineStore`: every adapter runs this suite against a real store.
 *
 * `make` gives a fresh store each time. The parts are by promise: versions, outbox, durability of ids and positions,
 * reads, and a random walk against a naive model.
 */
import { afterEach, describe } from 'vitest'
import { claimContract } from './online-store-claims.ts'
import { extentContract } from './online-store-extent.ts'
import type { MakeStore, StoreUnderTest } from './online-store-fixture.ts'
import { modelContract } from './online-store-model.ts'
import { outboxContract } from './online-store-outbox.ts'
import { positionContract } from './online-store-positions.ts'
import { readContract } from './online-store-reads.ts'
import { removalContract } from './online-store-removal.ts'
import { repairContract } from './online-store-repair.ts'
import { writeContract } from './online-store-writes.ts'

export type { ContractLimits, MakeStore, StoreUnderTest } from './online-store-fixture.ts'

export function onlineStoreContract(name: string, makeStore: MakeStore): void {
  describe(`${name} keeps the contract of an online store`, () => {
    const made: StoreUnderTest[] = []
    afterEach(async () => {
      for (const underTest of made.splice(0)) await underTest.dispose()
    })
    const make: MakeStore = async (limits) => {
      const underTest = await makeStore(limits)
      made.push(underTest)
      return underTest
    }
    describe('reads', () => readContract(make))
    describe('writes', () => writeContract(make))
    describe('rows for the history only', () => extentContract(make))
    describe('removal', () => removalContract(make))
    describe('outbox', () => outboxContract(make))
    describe('positions and marks', () => positionContract(make))
    describe('claims and last positions', () => claimContract(make))
    describe('repair', () => repairContract(make))
    describe('against a model', () => modelContract(make))
  })
}
