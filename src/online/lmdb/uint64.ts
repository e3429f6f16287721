/** Unsigned 64-bit big-endian integers below 2^53, whose bytes sort as the numbers do. */
export function writeUint64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / 4294967296), offset)
  target.writeUInt32BE(value % 4294967296, offset + 4)
}

export function readUint64(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * 4294967296 + source.readUInt32BE(offset + 4)
}
