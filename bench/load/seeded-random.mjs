/**
 * Numbers from 0 to 1 that are the same for the same seed and purpose (xoshiro128**): a load can be repeated call by call. Purposes
 * are independent of each other: with one seed for everything the gaps between calls would otherwise tell which keys they ask for.
 */
export function seededRandom(seed, purpose = '') {
  const state = new Uint32Array(4)
  // Splitmix spreads seeds that are near each other.
  let mixed = (seed ^ hashOf(purpose)) >>> 0
  for (let index = 0; index < 4; index++) {
    mixed = (mixed + 0x9e3779b9) >>> 0
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    state[index] = word ^ (word >>> 15)
  }
  const next = () => {
    const [, second] = state
    const times5 = Math.imul(second, 5)
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= second << 9
    state[3] = (state[3] << 11) | (state[3] >>> 21)
    return result
  }
  /** 53 bits. */
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53
}

/** FNV-1a. */
function hashOf(text) {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
