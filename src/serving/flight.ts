/**
 * A flight: the read of one key that is under way, with everyone who waits for it.
 *
 * It is queued, then sent, then landed; if the online store has no such row, a look-up in the history (`look-ups.ts`) may come before
 * that. In between a replica may have answered it (`hedgeRow`): those who wait have their
 * row then, and the flight goes on alone until the primary's answer fills L1.
 */
import type { Fill } from './row-cache.ts'

export interface Flight extends Fill {
  /** A FRESH request waits for it: only the primary may answer. */
  isFresh: boolean
  isSent: boolean
  /** How old its row may be when it is read: 0 from the primary. */
  lagMs: number
  /** The online store has answered, or will not: nothing it says any more counts. */
  isAnswered: boolean
  hedgeRow: Buffer | undefined
  /** The last who came; each knows the one before. */
  seats: Seat | undefined
}

/** A slot of a request that is filled when the flight lands. */
export interface Seat {
  readonly request: Passenger
  readonly slot: number
  readonly next: Seat | undefined
}

/** A request with keys in the air. */
export interface Passenger {
  readonly rows: Buffer[]
  landing: number
  readonly done: () => void
}

/** Gives the row to all who wait. */
export function vacate(flight: Flight, row: Buffer): void {
  let seat = flight.seats
  flight.seats = undefined
  for (; seat !== undefined; seat = seat.next) fillSlot(seat.request, seat.slot, row)
}

export function fillSlot(request: Passenger, slot: number, row: Buffer): void {
  request.rows[slot] = row
  if (--request.landing === 0) request.done()
}
