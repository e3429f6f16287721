/**
 * A command as Redis reads it (RESP): an array of bulk strings, in one buffer.
 *
 * Rather than a buffer for the length of each argument and all of them joined, as ioredis has it: of a write of 100 rows of 2 KB that was a
 * quarter of what the adapter cost.
 */
import type { RedisArgument } from './redis-link.ts'
import { digitsOf, writeLineEnd, writeNumber } from './resp-bytes.ts'

const DOLLAR = 0x24

export function encodeCommand(name: string, args: readonly RedisArgument[]): Buffer {
  const head = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  let length = head.length
  for (let index = 0; index < args.length; index++) length += bulkBytes(byteLength(args[index]!))
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = bytes.write(head, 'latin1')
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!
    bytes[at++] = DOLLAR
    at = writeLineEnd(bytes, writeNumber(bytes, at, byteLength(argument)))
    at = writeLineEnd(bytes, writeArgument(bytes, at, argument))
  }
  return bytes
}

function byteLength(argument: RedisArgument): number {
  if (typeof argument === 'object') return argument.length
  return Buffer.byteLength(String(argument))
}

function writeArgument(bytes: Buffer, at: number, argument: RedisArgument): number {
  if (typeof argument !== 'object') return at + bytes.write(String(argument), at)
  bytes.set(argument, at)
  return at + argument.length
}

/** Bytes of a bulk string of so many bytes. */
function bulkBytes(length: number): number {
  return 1 + digitsOf(length) + 2 + length + 2
}
