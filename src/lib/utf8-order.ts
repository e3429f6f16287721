/**
 * Compares strings as their UTF-8 bytes compare, which is also the order of code points, without encoding them. `<` compares
 * UTF-16 units and puts U+E000 to U+FFFF after the characters beyond them.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Moves surrogates behind the rest of the basic plane. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800
  return unit >= 0xd800 ? unit + 0x2000 : unit
}
