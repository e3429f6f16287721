/**
 * Data files as local files that are what their table's log says: there, of the right size, and with the checksum they
 * were written with. A damaged file is found here, by its name, rather than served as data: DuckDB checks no checksums.
 *
 * The checksum costs one reading of the file (about a second per gigabyte), once in the life of the process and again
 * if it is another file or its modification time has changed. Files of other engines have none; of them only the size is checked.
 * A job that reads a small part of a file gets the checksums of its blocks instead, and verifies what it reads.
 */
import { stat } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import { fileChecksum } from '../../lib/file-checksum.ts'
import type { AddFile } from '../delta/actions.ts'
import { blockChecksumsOf, checksumOf } from '../delta/data-file.ts'
import type { BorrowedFile, ObjectStore } from '../objects/object-store.ts'
import type { UnverifiedFile } from '../table-jobs.ts'

export interface SoundFiles {
  /**
   * Lends the local file of the object at `path`; DATA_LOSS naming it if it is not the file that the log describes. With
   * `inParts` a file with block checksums is not read; it comes with them, unless it has been verified before.
   */
  borrow(path: string, file: AddFile, inParts?: boolean): Promise<SoundFile>
}

export interface SoundFile {
  readonly loan: BorrowedFile
  readonly unverified?: UnverifiedFile
}

interface Finding {
  readonly problem?: string
  readonly unverified?: UnverifiedFile
}

export function createSoundFiles(objects: ObjectStore, verifiedFilesMax: number): SoundFiles {
  const verified = new Set<string>()

  function remember(identity: string): void {
    if (verified.size >= verifiedFilesMax) verified.delete(verified.values().next().value!)
    verified.add(identity)
  }

  /** What is wrong with the local file, or what is left to verify, if anything. */
  async function check(path: string, local: string, file: AddFile, inParts: boolean): Promise<Finding> {
    const { size, mtimeMs, ino } = await stat(local)
    if (size !== file.size) return { problem: `has ${size} bytes, its table's log says ${file.size}` }
    const checksum = checksumOf(file)
    const identity = `${path}@${mtimeMs}/${ino}`
    if (checksum === undefined || verified.has(identity)) return {}
    const checksums = inParts ? blockChecksumsOf(file) : undefined
    if (checksums !== undefined) return { unverified: { name: `${objects.location}: ${path}`, checksums } }
    const found = await fileChecksum(local)
    if (found !== checksum) return { problem: `has checksum ${found}, its table's log says ${checksum}` }
    remember(identity)
    return {}
  }

  return {
    async borrow(path, file, inParts = false) {
      for (let again = true; ; again = false) {
        let borrowed: BorrowedFile | undefined
        try {
          borrowed = await objects.borrow(path)
          const { problem, unverified } = await check(path, borrowed.file, file, inParts)
          if (problem === undefined) return { loan: borrowed, ...(unverified && { unverified }) }
          // A local copy may be what is damaged; the object itself is asked once more.
          if (!(await borrowed.discard()) || !again) throw damaged(objects, path, problem)
        } catch (error) {
          await borrowed?.release()
          throw isAbsent(error) ? damaged(objects, path, 'is gone', error) : error
        }
      }
    },
  }
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'NOT_FOUND' || code === 'ENOENT'
}

function damaged(objects: ObjectStore, path: string, problem: string, cause?: unknown): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `${objects.location}: ${path} ${problem}; restore it from a backup`, { cause })
}
