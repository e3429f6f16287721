/** How connections share the memory for what is not read, without sockets: who may begin calls, and who has to go. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeldBytes, HeldShare } from '../../src/http2/held-bytes.ts'
import { type Holder, relieve } from '../../src/http2/relief.ts'

const MIB = 2 ** 20
const LOOKS = 5

function holderOf(held: HeldBytes, bytes: number): Holder & { readonly isGone: boolean } {
  const share = new HeldShare(held)
  share.settle(bytes)
  return {
    share,
    isGone: false,
    giveUp() {
      Object.assign(this, { isGone: true })
      share.settle(0)
    },
  }
}

test('n connections that read nothing and always ask for more come to hold 1/(n+1) each, and as much is free', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 60_000 }), (count, answerBytes) => {
      const held = new HeldBytes(64 * MIB, () => undefined)
      const shares = Array.from({ length: count }, () => ({ share: new HeldShare(held), bytes: 0 }))
      for (let isAnyAllowed = true; isAnyAllowed; ) {
        isAnyAllowed = false
        for (const each of shares) {
          if (each.share.isTooMuch(each.bytes)) continue
          each.bytes += answerBytes
          each.share.settle(each.bytes)
          isAnyAllowed = true
        }
      }
      for (const { bytes } of shares)
        expect(Math.abs(bytes - held.bytesMax / (count + 1))).toBeLessThan(answerBytes * 2)
      expect(held.bytesMax - held.bytes).toBeGreaterThan(held.bytesMax / (count + 1) - answerBytes * 2)
    }),
    { numRuns: 50 },
  )
})

test('a connection that holds next to nothing may begin calls, whatever the others hold', () => {
  const held = new HeldBytes(MIB, () => undefined)
  holderOf(held, 10 * MIB)
  expect(new HeldShare(held).isTooMuch(64 * 1024)).toBe(false)
  expect(new HeldShare(held).isTooMuch(256 * 1024)).toBe(true)
})

test('it is told when the bound is passed', () => {
  let told = 0
  const held = new HeldBytes(MIB, () => told++)
  const share = new HeldShare(held)
  share.settle(MIB)
  expect(told).toBe(0)
  share.settle(MIB + 1)
  expect(told).toBe(1)
  share.settle(0)
  expect(told).toBe(1)
})

test('those go that hold most and do not read; who reads stays, however much that is, and so does who holds little', () => {
  const held = new HeldBytes(8 * MIB, () => undefined)
  const silent = Array.from({ length: 4 }, (_, index) => holderOf(held, (index + 2) * MIB))
  const little = holderOf(held, 64 * 1024)
  const reader = holderOf(held, 0)
  const all = [...silent, little, reader]
  for (let look = 0; look < LOOKS; look++) {
    expect(all.some(({ isGone }) => isGone)).toBe(false)
    // It has read all there was, and there is as much again.
    reader.share.left(4 * MIB)
    reader.share.settle(4 * MIB)
    relieve(held, all)
    reader.share.left(4 * MIB)
  }
  // Of 18 MiB, those of 5 and 4 MiB had to go, and one more for 7 of 8.
  expect(silent.map(({ isGone }) => isGone)).toEqual([false, true, true, true])
  expect(little.isGone).toBe(false)
  expect(reader.isGone).toBe(false)
  expect(held.isOver).toBe(false)
})

test('a peer that drips does not read', () => {
  const held = new HeldBytes(MIB, () => undefined)
  const dripping = holderOf(held, 2 * MIB)
  for (let look = 0; look < LOOKS; look++) {
    relieve(held, [dripping])
    dripping.share.left(1000)
  }
  expect(dripping.isGone).toBe(true)
})
