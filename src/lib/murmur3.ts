/**
 * MurmurHash3, x86 32-bit variant (Austin Appleby, public domain; https://github.com/aappleby/smhasher).
 *
 * Chosen because its output is fixed for ever and is also what Feast uses for its Redis field names.
 */
export function murmur3(data: Uint8Array, seed = 0, start = 0, end = data.length): number {
  const length = end - start
  let hash = seed
  const blocksEnd = start + (length & ~3)
  for (let at = start; at < blocksEnd; at += 4) {
    const block = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    hash ^= mixBlock(block)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  const tailLength = length & 3
  if (tailLength > 0) {
    let tail = data[blocksEnd]!
    if (tailLength > 1) tail |= data[blocksEnd + 1]! << 8
    if (tailLength > 2) tail |= data[blocksEnd + 2]! << 16
    hash ^= mixBlock(tail)
  }
  hash ^= length
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 16
  return hash >>> 0
}

function mixBlock(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
