import fc from 'fast-check'
import { expect, test } from 'vitest'
import { versionMarks } from '../../src/client/version-marks.ts'

test('property: marks are what a look at every pair of versions gives', () => {
  const version = fc.record({ event: fc.nat(5), created: fc.nat(8) })
  fc.assert(
    fc.property(fc.array(version, { maxLength: 10 }), (given) => {
      const versions = given
        .map(({ event, created }, position) => ({
          eventTimestampMicros: BigInt(event),
          createdTimestampMicros: BigInt(created),
          position,
        }))
        .sort((a, b) => Number(b.eventTimestampMicros - a.eventTimestampMicros) || b.position - a.position)
      const expected = versions.map((one) => ({
        replaced: versions.some(
          (other) => other.eventTimestampMicros === one.eventTimestampMicros && other.position > one.position,
        ),
        late: versions.some(
          (other) =>
            other.eventTimestampMicros > one.eventTimestampMicros &&
            other.createdTimestampMicros < one.createdTimestampMicros,
        ),
      }))
      expect(versionMarks(versions)).toEqual(expected)
    }),
  )
})
