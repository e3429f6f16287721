import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { WriteStatus } from '../../src/domain/outcome.ts'
import type { Position } from '../../src/domain/version.ts'
import { lengthField, varint64Bytes } from '../../src/lib/wire.ts'
import { encodeWriteResponse } from '../../src/writing/write-response.ts'

const STATUSES: readonly WriteStatus[] = ['APPLIED', 'SUPERSEDED', 'HISTORY_ONLY']
const position = fc.oneof(fc.nat(300), fc.maxSafeInteger().map(Math.abs))
const outcome = fc.record({ status: fc.constantFrom(...STATUSES), position: position as fc.Arbitrary<Position> })

test('is the message field by field', () => {
  fc.assert(
    fc.property(fc.array(outcome), (outcomes) => {
      const fields = outcomes.map(({ status, position }) => {
        const head = Buffer.from([0x08, 1 + STATUSES.indexOf(status), 0x10])
        return lengthField(1, Buffer.concat([head, varint64Bytes(BigInt(position))]))
      })
      expect(encodeWriteResponse(outcomes)).toEqual(Buffer.concat(fields))
    }),
  )
})
