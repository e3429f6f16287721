/** The varint at `bytes[at]` as a signed 64-bit number, exact within +-2^53: without a reader, for values in rows. */
export function signedVarint(bytes: Buffer, at: number): number {
  let low = 0
  let high = 0
  let position = at
  for (let shift = 0; shift <= 63; shift += 7) {
    const byte = bytes[position++]!
    const bits = byte & 0x7f
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high = bits >>> 4
    } else high |= bits << (shift - 32)
    if (byte < 0x80) break
  }
  return (high | 0) * 4294967296 + (low >>> 0)
}
