/** A command as Redis reads it: an array of bulk strings, in one buffer. */
import type { RedisCommand } from '../redis-link.ts'

export function encodeCommand({ name, args }: RedisCommand): Buffer {
  const parts: Buffer[] = []
  let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  for (const argument of args) {
    if (Buffer.isBuffer(argument)) {
      parts.push(Buffer.from(`${text}$${argument.length}\r\n`), argument)
      text = '\r\n'
    } else {
      const value = String(argument)
      text += `$${Buffer.byteLength(value)}\r\n${value}\r\n`
    }
  }
  return Buffer.concat([...parts, Buffer.from(text)])
}
