/**
 * The Huffman code of HPACK (RFC 7541, appendix B), decoding only.
 *
 * The code is canonical: codes of a length are consecutive numbers, in the order of their symbols, and go on from those of the
 * length before. The lengths are therefore all there is to know. A bit at a time is slow and enough: a header block is decoded
 * once and then known by its bytes.
 */

const EOS = 256
const LONGEST = 30

/** By symbol, as runs of [how many, bits]; the last symbol is the end of a string, which is never sent. */
// biome-ignore format: a table
const LENGTHS = [
  [1, 13], [1, 23], [7, 28], [1, 24], [1, 30], [2, 28], [1, 30], [8, 28], [1, 30], [9, 28], [1, 6], [2, 10], [1, 12],
  [1, 13], [1, 6], [1, 8], [1, 11], [2, 10], [1, 8], [1, 11], [1, 8], [3, 6], [3, 5], [7, 6], [1, 7], [1, 8], [1, 15],
  [1, 6], [1, 12], [1, 10], [1, 13], [1, 6], [22, 7], [1, 8], [1, 7], [1, 8], [1, 13], [1, 19], [1, 13], [1, 14],
  [1, 6], [1, 15], [1, 5], [1, 6], [1, 5], [1, 6], [1, 5], [3, 6], [1, 5], [2, 7], [3, 6], [1, 5], [1, 6], [1, 7],
  [1, 6], [2, 5], [1, 6], [5, 7], [1, 15], [1, 11], [1, 14], [1, 13], [1, 28], [1, 20], [1, 22], [2, 20], [3, 22],
  [1, 23], [1, 22], [5, 23], [1, 24], [1, 23], [2, 24], [1, 22], [1, 23], [1, 24], [4, 23], [1, 21], [1, 22], [1, 23],
  [1, 22], [2, 23], [1, 24], [1, 22], [1, 21], [1, 20], [2, 22], [2, 23], [1, 21], [1, 23], [2, 22], [1, 24], [1, 21],
  [1, 22], [2, 23], [2, 21], [1, 22], [1, 21], [1, 23], [1, 22], [2, 23], [1, 20], [3, 22], [1, 23], [2, 22], [1, 23],
  [2, 26], [1, 20], [1, 19], [1, 22], [1, 23], [1, 22], [1, 25], [3, 26], [2, 27], [1, 26], [1, 24], [1, 25], [1, 19],
  [1, 21], [1, 26], [2, 27], [1, 26], [1, 27], [1, 24], [2, 21], [2, 26], [1, 28], [3, 27], [1, 20], [1, 24], [1, 20],
  [1, 21], [1, 22], [2, 21], [1, 23], [2, 22], [2, 25], [2, 24], [1, 26], [1, 23], [1, 26], [1, 27], [2, 26], [5, 27],
  [1, 28], [5, 27], [1, 26], [1, 30],
]

/** By length: the first code, and the symbols in the order of their codes. */
const CODES = canonical(LENGTHS.flatMap(([count, bits]) => new Array(count).fill(bits)))

export function decodeHuffman(bytes) {
  const symbols = []
  let code = 0
  let bits = 0
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1)
      bits++
      const symbol = CODES[bits].symbols[code - CODES[bits].first]
      if (symbol === undefined) {
        if (bits === LONGEST) throw new Error('a Huffman code of a header that does not exist')
        continue
      }
      if (symbol === EOS) throw new Error('the end of a string within a header')
      symbols.push(symbol)
      code = 0
      bits = 0
    }
  }
  // What is left of the last byte is filled with ones.
  if (bits > 7 || code !== (1 << bits) - 1) throw new Error('a Huffman string of a header that ends within a code')
  return Buffer.from(symbols).toString('latin1')
}

function canonical(lengths) {
  const codes = []
  let first = 0
  for (let bits = 0; bits <= LONGEST; bits++) {
    const symbols = lengths.flatMap((length, symbol) => (length === bits ? [symbol] : []))
    codes.push({ first, symbols })
    first = (first + symbols.length) << 1
  }
  return codes
}
