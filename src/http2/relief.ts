/** What is done when more is held for peers than may be: those who hold more than their part, and do not read, are told off. */
import type { HeldBytes, HeldShare } from './held-bytes.ts'

/** A connection in the eyes of who has to find room. */
export interface Holder {
  readonly share: HeldShare
  /** Ends it, whatever it had to send. */
  giveUp(): void
}

/**
 * Looks that a peer has for reading what was there at the first. Not fewer: after a turn of the event loop that took long, even
 * what a peer has read seems to be there, and while the buffers of the system fill, a peer that does not read seems to.
 */
const LOOKS_MIN = 4
/** There has to be so much less than the bound again: each look is at all connections, so it has to be worth it. */
const RELIEVED_SHARE = 7 / 8

/** To be called again and again while the bound is passed; from the fifth time on somebody may be told off. */
export function relieve(held: HeldBytes, holders: Iterable<Holder>): void {
  const enoughBytes = held.bytesMax * RELIEVED_SHARE
  const holding = [...holders].filter(({ share }) => share.bytes > 0)
  for (const { share } of holding) share.look()
  // As long as there is too much, somebody holds more than this.
  const partBytes = enoughBytes / holding.length
  const standing = holding.filter(({ share }) => share.bytes > partBytes && share.looks >= LOOKS_MIN)
  standing.sort((one, other) => other.share.standingBytes - one.share.standingBytes)
  for (const holder of standing) {
    if (held.bytes <= enoughBytes) return
    holder.giveUp()
  }
}
