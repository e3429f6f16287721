/** Serialized values of numeric types straight into a float32 matrix; the bytes are those `encodeValue` makes. */
import { TwinstoreError } from '../domain/errors.ts'
import { tensorWidth, typeName, type ValueType } from '../domain/value-type.ts'
import { signedVarint } from './signed-varint.ts'

/** Writes the value in `bytes[start..end)`, which is neither null nor missing, to `matrix[at..]`. */
export function putFloats(
  type: ValueType,
  bytes: Buffer,
  start: number,
  end: number,
  matrix: Float32Array,
  at: number,
): void {
  switch (type.kind) {
    case 'double':
      matrix[at] = bytes.readDoubleLE(end - 8)
      return
    case 'float':
      matrix[at] = bytes.readFloatLE(end - 4)
      return
    case 'vector': {
      const { length } = type
      const first = end - 4 * length
      if (first < start) throw notNumeric(type)
      for (let index = 0; index < length; index++) matrix[at + index] = bytes.readFloatLE(first + 4 * index)
      return
    }
    case 'bool':
    case 'int32':
    case 'int64':
    case 'timestamp':
      // Their field numbers are below 16: the tag is one byte.
      matrix[at] = signedVarint(bytes, start + 1)
      return
    default:
      throw notNumeric(type)
  }
}

function notNumeric(type: ValueType): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `not a ${typeName(type)} of ${tensorWidth(type)} numbers`)
}
