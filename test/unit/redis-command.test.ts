/** A command encoded by the store is byte for byte what ioredis would send. */
import fc from 'fast-check'
import { Command } from 'ioredis'
import { expect, test } from 'vitest'
import { encodeCommand } from '../../src/online/redis/encode-command.ts'

const argument = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.maxSafeInteger(),
  fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
)

test('the bytes are those of the arguments one by one', () => {
  fc.assert(
    fc.property(fc.constantFrom('EVALSHA', 'EVAL'), fc.array(argument, { maxLength: 40 }), (name, args) => {
      const written = new Command(name, ['', ...args], { replyEncoding: null }).toWritable({} as never)
      expect(encodeCommand(name, ['', ...args]).equals(Buffer.from(written as Buffer))).toBe(true)
    }),
  )
})
