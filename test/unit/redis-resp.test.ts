/** The RESP2 of the Redis link: replies come out whole whatever pieces the socket reads. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RespFault, RespReader } from '../../src/online/redis/connect/resp-reader.ts'
import type { RedisReply } from '../../src/online/redis/redis-link.ts'

type Heard = { readonly reply: RedisReply } | { readonly error: string }

interface Sent {
  readonly bytes: Buffer
  readonly means: RedisReply
}

const bulk = fc.uint8Array({ maxLength: 60 }).map((array): Sent => {
  const value = Buffer.from(array)
  return { bytes: Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]), means: value }
})
const integer = fc.maxSafeInteger().map((value): Sent => ({ bytes: Buffer.from(`:${value}\r\n`), means: value }))
const simple = fc
  .string({ unit: fc.constantFrom('O', 'K', ' ', 'é') })
  .map((text): Sent => ({ bytes: Buffer.from(`+${text}\r\n`), means: Buffer.from(text) }))
const nothing = fc.constantFrom('$-1\r\n', '*-1\r\n').map((text): Sent => ({ bytes: Buffer.from(text), means: null }))
const { value: replies } = fc.letrec<{ value: Sent; array: Sent }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, bulk, integer, simple, nothing, tie('array')),
  array: fc.array(tie('value'), { maxLength: 8 }).map((items) => ({
    bytes: Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items.map(({ bytes }) => bytes)]),
    means: items.map(({ means }) => means),
  })),
}))

function reading(): { readonly reader: RespReader; readonly heard: Heard[] } {
  const heard: Heard[] = []
  const reader = new RespReader({
    reply: (reply) => heard.push({ reply }),
    error: (error) => heard.push({ error }),
  })
  return { reader, heard }
}

/** In pieces of these lengths, over and over. */
function readInPieces(reader: RespReader, bytes: Buffer, lengths: readonly number[]): void {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = at + lengths[turn % lengths.length]!
    reader.read(Buffer.from(bytes.subarray(at, end)))
    at = end
  }
}

test('replies come out whole, whatever pieces they come in', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(replies, { minLength: 1, maxLength: 6 }), lengths, (sent, pieces) => {
      const { reader, heard } = reading()
      readInPieces(reader, Buffer.concat(sent.map(({ bytes }) => bytes)), pieces)
      expect(heard).toEqual(sent.map(({ means }) => ({ reply: means })))
    }),
  )
})

test('a row in one piece is a view of it, one in two has just its bytes', () => {
  const row = Buffer.alloc(300, 7)
  const piece = Buffer.concat([Buffer.from('*2\r\n$300\r\n'), row, Buffer.from('\r\n$300\r\n'), row.subarray(0, 100)])
  const { reader, heard } = reading()
  reader.read(piece)
  reader.read(Buffer.concat([row.subarray(100), Buffer.from('\r\n')]))
  const [first, second] = (heard[0] as { reply: readonly Buffer[] }).reply
  expect(first!.buffer).toBe(piece.buffer)
  expect(second!.buffer.byteLength).toBe(300)
  expect([first, second].every((each) => each!.equals(row))).toBe(true)
})

test('an error reply, alone and within an array, and the replies around it', () => {
  const { reader, heard } = reading()
  readInPieces(reader, Buffer.from(':1\r\n-MOVED 5 a:1\r\n*2\r\n-OOM no\r\n:2\r\n+OK\r\n'), [3])
  expect(heard).toEqual([{ reply: 1 }, { error: 'MOVED 5 a:1' }, { error: 'OOM no' }, { reply: Buffer.from('OK') }])
})

test.each([
  ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['a length that is none', '$1x\r\n'],
  ['no length', '*\r\n'],
  ['a string longer than Redis has', '$999999999999\r\n'],
  ['an array longer than Redis sends', '*99999999\r\n'],
  ['arrays within arrays without end', '*1\r\n'.repeat(40)],
  ['a line without end', `+${'a'.repeat(100_000)}`],
])('what is no reply is a fault: %s', (_name, said) => {
  expect(() => reading().reader.read(Buffer.from(said))).toThrow(RespFault)
})
