import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32Between } from '../../src/lib/crc32.ts'

test('the checksum of a part is that of zlib over the part, short and long', () => {
  const parts = fc
    .uint8Array({ maxLength: 3000, size: 'max' })
    .chain((bytes) => fc.tuple(fc.constant(bytes), fc.nat(bytes.length), fc.nat(bytes.length)))
  fc.assert(
    fc.property(parts, ([bytes, a, b]) => {
      const [from, to] = a < b ? [a, b] : [b, a]
      expect(crc32Between(bytes, from, to)).toBe(crc32(bytes.subarray(from, to)))
    }),
  )
  expect(crc32Between(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926)
})
