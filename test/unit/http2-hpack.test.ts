/** HPACK against the examples of RFC 7541 (appendix C), and what must not be accepted. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeaderDecoder } from '../../src/http2/hpack/header-decoder.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { decodedBytesMax, decodeHuffman, encodeHuffman, huffmanBytes } from '../../src/http2/hpack/huffman.ts'
import { ConnectionFault } from '../../src/http2/protocol.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

function decoder(tableBytesMax = 4096, listBytesMax = 65_536): (hex: string | Buffer) => readonly string[] {
  const made = new HeaderDecoder({ tableBytesMax, listBytesMax })
  return (block) => {
    const whole = typeof block === 'string' ? bytes(block) : block
    return made.decode(whole, 0, whole.length).fields
  }
}

const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com', 'cache-control', 'no-cache'],
  [
    ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
    ...['custom-key', 'custom-value'],
  ],
]
const LOCATION = ['location', 'https://www.example.com']
const DATED = (date: string) => ['cache-control', 'private', 'date', date]
const RESPONSES = [
  [':status', '302', ...DATED('Mon, 21 Oct 2013 20:13:21 GMT'), ...LOCATION],
  [':status', '307', ...DATED('Mon, 21 Oct 2013 20:13:21 GMT'), ...LOCATION],
  [
    ...[':status', '200', ...DATED('Mon, 21 Oct 2013 20:13:22 GMT'), ...LOCATION, 'content-encoding', 'gzip'],
    ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
]

const EXAMPLES: Readonly<Record<string, [tableBytes: number, blocks: string[], lists: string[][]]>> = {
  'C.2.1, a literal that is added': [
    4096,
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'],
    [['custom-key', 'custom-header']],
  ],
  'C.2.2, a literal that is not': [4096, ['040c 2f73 616d 706c 652f 7061 7468'], [[':path', '/sample/path']]],
  'C.2.3, a literal that never is': [4096, ['1008 7061 7373 776f 7264 0673 6563 7265 74'], [['password', 'secret']]],
  'C.2.4, an index': [4096, ['82'], [[':method', 'GET']]],
  'C.3, requests': [
    4096,
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
    REQUESTS,
  ],
  'C.4, requests in Huffman code': [
    4096,
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
    REQUESTS,
  ],
  'C.5, responses that evict': [
    256,
    [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
       546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
       6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
       2076 6572 7369 6f6e 3d31`,
    ],
    RESPONSES,
  ],
  'C.6, responses that evict, in Huffman code': [
    256,
    [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
       8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
       dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ],
    RESPONSES,
  ],
}

test.each(Object.entries(EXAMPLES))('RFC 7541, %s', (_name, [tableBytes, blocks, lists]) => {
  const decode = decoder(tableBytes)
  expect(blocks.map((block) => decode(block.replaceAll(/\s/g, '')))).toEqual(lists)
})

test('RFC 7541, C.1.2: an integer of more than its prefix', () => {
  // A literal whose name is 1337 bytes long: 1337 is written as 7f 9a 09 after its prefix of seven bits.
  const name = 'n'.repeat(1337)
  const block = Buffer.concat([bytes('00 7f ba 09'), Buffer.from(name), bytes('01'), Buffer.from('v')])
  expect(decoder()(block)).toEqual([name, 'v'])
})

const byteText = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each).toString('latin1'))

test('any bytes come back from Huffman code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (plain) => {
      const coded = Buffer.alloc(huffmanBytes(plain))
      expect(encodeHuffman(plain, coded, 0)).toBe(coded.length)
      const back = Buffer.alloc(decodedBytesMax(coded.length))
      const length = decodeHuffman(coded, 0, coded.length, back)
      expect(Buffer.compare(back.subarray(0, length), Buffer.from(plain))).toBe(0)
    }),
  )
})

test('any list comes back from its block, and from the same block again', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(byteText, byteText), { maxLength: 20 }), (pairs) => {
      const fields = pairs.flat()
      const decode = decoder(4096, 1_000_000)
      const block = encodeHeaders(fields)
      expect(decode(block)).toEqual(fields)
      expect(decode(block)).toEqual(fields)
    }),
  )
})

test('a block is not recognised any more when the table has changed under its indexes', () => {
  const made = new HeaderDecoder({ tableBytesMax: 4096, listBytesMax: 65_536 })
  const decode = (hex: string) => made.decode(bytes(hex), 0, bytes(hex).length)
  decode('4001 6101 31') // a: 1
  expect(decode('be').fields).toEqual(['a', '1'])
  const second = decode('be')
  expect(second.fields).toEqual(['a', '1'])
  expect(decode('be')).toBe(second)
  decode('4001 6201 32') // b: 2, which takes the index
  expect(decode('be').fields).toEqual(['b', '2'])
  decode('20 3f e1 1f 4001 6301 33') // the table emptied, and opened again with c: 3
  expect(decode('be').fields).toEqual(['c', '3'])
})

test('a decoder at rest forgets blocks, but not the table', () => {
  const made = new HeaderDecoder({ tableBytesMax: 4096, listBytesMax: 65_536 })
  const decode = (hex: string) => made.decode(bytes(hex), 0, bytes(hex).length)
  decode('4001 6101 31') // a: 1
  decode('be')
  const remembered = decode('be')
  expect(decode('be')).toBe(remembered)
  made.rest()
  const again = decode('be')
  expect(again).not.toBe(remembered)
  expect(again.fields).toEqual(['a', '1'])
})

test('a field is written so that it enters no table', () => {
  const block = encodeHeaders(['authorization', 'Bearer x', 'user-agent', 'y'])
  // Section 6.2.2: 0000, and the index of the name, 23, in four bits and a byte.
  expect(block.subarray(0, 2)).toEqual(bytes('0f 08'))
  expect(decoder()(block)).toEqual(['authorization', 'Bearer x', 'user-agent', 'y'])
})

test('a small block that stands for many headers is not remembered', () => {
  const made = new HeaderDecoder({ tableBytesMax: 4096, listBytesMax: 65_536 })
  const decode = (block: Buffer) => made.decode(block, 0, block.length)
  decode(bytes('4001 6101 31')) // a: 1
  const many = Buffer.alloc(100, 0xbe)
  for (let times = 0; times < 3; times++) expect(decode(many)).not.toBe(decode(many))
  const few = Buffer.alloc(10, 0xbe)
  decode(few)
  expect(decode(few)).toBe(decode(few))
})

test('a list over its limit is cut, and what it adds to the table is not', () => {
  const made = new HeaderDecoder({ tableBytesMax: 4096, listBytesMax: 100 })
  const block = Buffer.concat([bytes('4001 61 7f 8101'), Buffer.from('x'.repeat(256)), bytes('4001 6201 32')])
  const list = made.decode(block, 0, block.length)
  expect(list).toMatchObject({ isTooLarge: true, fields: [] })
  expect(made.decode(bytes('bf be'), 0, 2).bytes).toBe(1 + 256 + 32 + 34)
})

test.each([
  ['an index of 0', '80'],
  ['an index beyond both tables', 'be'],
  ['an integer without an end', 'ff ff ff ff ff ff ff'],
  ['an integer that is cut off', 'ff'],
  ['a string longer than the block', '40 05 61 62'],
  ['a table larger than was offered', '3f e2 1f'],
  ['a new table size after a field', '82 20'],
  ['Huffman code with eight bits of padding', '40 82 1f ff 01 61'],
  ['Huffman code padded with zeros', '40 81 18 01 61'],
  ['Huffman code with an end of string', '40 84 ff ff ff ff 01 61'],
])('%s ends the connection with COMPRESSION_ERROR', (_name, hex) => {
  const fault = (() => {
    try {
      return decoder()(hex)
    } catch (error) {
      return error
    }
  })()
  expect(fault).toBeInstanceOf(ConnectionFault)
  expect(fault).toMatchObject({ code: 9 })
})
