/** What is wrong with a frame by itself, and what of it is padding. */
import { ConnectionFault, ERROR, FLAG, UINT31_MAX } from './protocol.ts'

export const PRIORITY_BYTES = 5

export function violation(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.protocolError, problem)
}

export function frameSizeFault(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.frameSizeError, problem)
}

/** Most frames have one size. `section` is that of RFC 9113. */
export function expectBytes(frame: string, bytes: number, expected: number, section: string): void {
  if (bytes !== expected) throw frameSizeFault(`${frame} of ${bytes} bytes; it has ${expected} (section ${section})`)
}

/** SETTINGS, PING and GOAWAY belong to the connection. */
export function expectNoStream(frame: string, stream: number, section: string): void {
  if (stream !== 0) throw violation(`${frame} on stream ${stream} (section ${section})`)
}

export interface Content {
  readonly from: number
  readonly to: number
}

/** Section 6.1 and 6.2. */
export function unpadded(flags: number, bytes: Buffer, from: number, to: number): Content {
  if ((flags & FLAG.padded) === 0) return { from, to }
  if (to === from) throw frameSizeFault('a padded frame is empty')
  const padding = bytes[from]!
  if (padding >= to - from) throw violation('padding is as long as its frame (section 6.1)')
  return { from: from + 1, to: to - padding }
}

/** The header block of a HEADERS frame without padding and priority, which is ignored (section 5.3.2). */
export function headerFragment(flags: number, stream: number, bytes: Buffer, from: number, to: number): Content {
  const content = unpadded(flags, bytes, from, to)
  if ((flags & FLAG.priority) === 0) return content
  if (content.to - content.from < PRIORITY_BYTES)
    throw frameSizeFault('HEADERS is too short for its priority (section 6.2)')
  refuseSelfDependency(stream, bytes, content.from)
  return { from: content.from + PRIORITY_BYTES, to: content.to }
}

export function refuseSelfDependency(stream: number, bytes: Buffer, at: number): void {
  if ((bytes.readUInt32BE(at) & UINT31_MAX) === stream) {
    throw violation(`stream ${stream} depends on itself (RFC 7540, section 5.3.1)`)
  }
}
