/** Which files are compacted, how their work is cut up, and how often a row is rewritten in the long run. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AddFile } from '../../src/offline/delta/actions.ts'
import { compactionBatches, planCompaction } from '../../src/offline/delta/plan-compaction.ts'
import { addedIn, filesUntil, rowVersionsOf, rowVersionTags } from '../../src/offline/delta/row-versions.ts'
import { fileAt } from './delta-view.ts'

const KiB = 2 ** 10
const MiB = 2 ** 20
const SIZES = { targetBytes: 128 * MiB, filesMin: 4 }

function file(
  path: string,
  size: number,
  eventDate: string | null = '2001-01-01',
  tags = { 'twinstore.version': '1' },
) {
  return { ...fileAt(path), size, partitionValues: { event_date: eventDate }, tags } as AddFile
}

const anyFile = fc.record({
  size: fc.oneof(fc.nat(64 * KiB), fc.nat(200 * MiB)),
  eventDate: fc.constantFrom('2001-01-01', '2001-01-02', '2001-02-01', null),
  tags: fc.constantFrom({ 'twinstore.version': '3' }, { 'twinstore.row-versions': '1-3' }, {}),
})
const anyFiles = fc
  .array(anyFile, { maxLength: 60 })
  .map((files) => files.map(({ size, eventDate, tags }, index) => file(`f${index}`, size, eventDate, tags as never)))

describe('a plan', () => {
  test('has each file once, in groups of one partition that fit into the target and save enough files', () => {
    fc.assert(
      fc.property(anyFiles, fc.integer({ min: 2, max: 10 }), (files, filesMin) => {
        const groups = planCompaction(files, { ...SIZES, filesMin })
        const planned = groups.flatMap((group) => group.files)
        expect(new Set(planned).size).toBe(planned.length)
        for (const group of groups) {
          expect(group.files.length).toBeGreaterThanOrEqual(filesMin)
          expect(group.bytes).toBe(group.files.reduce((sum, one) => sum + one.size, 0))
          expect(group.bytes).toBeLessThanOrEqual(SIZES.targetBytes)
          const largest = Math.max(...group.files.map((one) => one.size))
          expect(largest).toBeLessThanOrEqual(Math.max(group.bytes - largest, MiB))
          for (const one of group.files) {
            expect(files).toContain(one)
            expect(one.partitionValues['event_date']).toBe(group.eventDate)
            expect(rowVersionsOf(one)).toBeDefined()
          }
        }
      }),
    )
  })

  test('is the same in whatever order the files come', () => {
    fc.assert(
      fc.property(anyFiles, (files) => {
        expect(planCompaction([...files].reverse(), SIZES)).toEqual(planCompaction(files, SIZES))
      }),
    )
  })

  test('leaves a large file out of a few small ones, and takes it when there are as many bytes of those', () => {
    const small = (count: number) => Array.from({ length: count }, (_, index) => file(`small${index}`, MiB))
    const large = file('large', 20 * MiB)
    expect(planCompaction([large, ...small(8)], SIZES)[0]!.files).toEqual(small(8))
    expect(planCompaction([large, ...small(20)], SIZES)[0]!.files).toHaveLength(21)
    const alike = Array.from({ length: 10 }, (_, index) => file(`alike${index}`, (3 + index / 10) * MiB))
    expect(planCompaction(alike, SIZES)[0]!.files).toEqual(alike)
  })

  test('keeps the files few and rewrites each byte about once per doubling', () => {
    const append = 64 * KiB
    let files: AddFile[] = []
    let rewritten = 0
    const appends = 4000
    let most = 0
    for (let number = 0; number < appends; number++) {
      files.push(file(`a${number}`, append + (number % 7) * KiB))
      for (const group of planCompaction(files, { ...SIZES, filesMin: 8 })) {
        files = files.filter((one) => !group.files.includes(one))
        files.push(file(`c${number}`, group.bytes))
        rewritten += group.bytes
      }
      most = Math.max(most, files.length)
    }
    const written = files.reduce((sum, one) => sum + one.size, 0)
    expect(written).toBeGreaterThanOrEqual(appends * append)
    // Found: 14 files at most for 250 MiB, each byte rewritten 5.3 times. With all small files rewritten each time it was 11 files and 73 times.
    expect(most).toBeLessThan(32)
    expect(rewritten / written).toBeLessThan(8)
  })
})

test('batches keep to their limits, have a partition once, and leave no group out', () => {
  fc.assert(
    fc.property(anyFiles, fc.nat(64 * MiB), fc.integer({ min: 1, max: 20 }), (files, bytesMax, filesMax) => {
      const groups = planCompaction(files, { ...SIZES, filesMin: 2 })
      const batches = compactionBatches(groups, { bytesMax, filesMax })
      expect(batches.flat()).toEqual(groups)
      for (const batch of batches) {
        expect(new Set(batch.map((group) => group.eventDate)).size).toBe(batch.length)
        if (batch.length === 1) continue
        expect(batch.reduce((sum, group) => sum + group.bytes, 0)).toBeLessThanOrEqual(bytesMax)
        expect(batch.reduce((sum, group) => sum + group.files.length, 0)).toBeLessThanOrEqual(filesMax)
      }
    }),
  )
})

describe('the versions of rows', () => {
  test('are those of the commit that adds them, unless the file says them itself', () => {
    expect(rowVersionsOf(addedIn(7, fileAt('a')))).toEqual({ first: 7, last: 7, perRow: false })
    const compacted = { ...fileAt('a'), dataChange: false, tags: rowVersionTags(2, 5) }
    expect(rowVersionsOf(addedIn(7, compacted))).toEqual({ first: 2, last: 5, perRow: true })
    expect(rowVersionsOf(addedIn(7, { ...fileAt('a'), dataChange: false }))).toBeUndefined()
  })

  test.each(['', 'x', '-1', '1.5', '3-', '1-2-3', '9'.repeat(17)])('%j in a tag says nothing', (text) => {
    for (const tag of ['twinstore.version', 'twinstore.row-versions']) {
      expect(rowVersionsOf({ ...fileAt('a'), tags: { [tag]: text } })).toBeUndefined()
    }
  })

  test('tell which files a version is read from, in whole or in part', () => {
    const files = [file('two', 1), file('mixed', 1, null, rowVersionTags(2, 5) as never), file('later', 1)]
    const tagged = [addedIn(2, { ...files[0]!, tags: {} }), files[1]!, addedIn(6, { ...files[2]!, tags: {} })]
    expect(filesUntil(1, tagged)).toEqual([])
    expect(filesUntil(4, tagged)).toEqual([tagged[0], { ...tagged[1], rowsUntilVersion: 4 }])
    expect(filesUntil(5, tagged)).toEqual(tagged.slice(0, 2))
    expect(filesUntil(9, tagged)).toEqual(tagged)
    expect(filesUntil(9, [...tagged, { ...fileAt('unknown') }])).toBeUndefined()
  })
})
