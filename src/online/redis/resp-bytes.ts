/** Pieces of a RESP command, written where it is sent from; each returns the position after it. */

/** A whole number in decimal digits. */
export function writeNumber(bytes: Buffer, at: number, value: number): number {
  const end = at + digitsOf(value)
  let rest = value
  for (let to = end - 1; to >= at; to--) {
    bytes[to] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

export function writeLineEnd(bytes: Buffer, at: number): number {
  bytes[at] = 0x0d
  bytes[at + 1] = 0x0a
  return at + 2
}

export function digitsOf(value: number): number {
  let digits = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++
  return digits
}
