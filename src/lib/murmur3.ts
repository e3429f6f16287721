/**
 * MurmurHash3, x86 32-bit variant (Austin Appleby, public domain; https://github.com/aappleby/smhasher), of the bytes of a
 * latin-1 string from `start` on. Of a string, because keys are strings: making their bytes took longer than the hash.
 *
 * Chosen because its output is fixed for ever and is also what Feast uses for its Redis field names.
 */
export function murmur3(data: string, seed = 0, start = 0): number {
  const length = data.length - start
  let hash = seed
  const blocksEnd = start + (length & ~3)
  for (let at = start; at < blocksEnd; at += 4) {
    const low = data.charCodeAt(at) | (data.charCodeAt(at + 1) << 8)
    const block = low | (data.charCodeAt(at + 2) << 16) | (data.charCodeAt(at + 3) << 24)
    hash ^= mixBlock(block)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  const tailLength = length & 3
  if (tailLength > 0) {
    let tail = data.charCodeAt(blocksEnd)
    if (tailLength > 1) tail |= data.charCodeAt(blocksEnd + 1) << 8
    if (tailLength > 2) tail |= data.charCodeAt(blocksEnd + 2) << 16
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
