/**
 * Data files as local files that are what their table's log says: there, of the right size, and with the checksum they
 * were written with. A damaged file is found here, by its name, rather than served as data: DuckDB checks no checksums.
 *
 * The checksum costs one reading of the file (about a second per gigabyte), once in the life of the process and again
 * if it is another file or its modification time has changed. Files of other engines have none; of them only the size is checked.
 */
import { stat } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import { fileChecksum } from '../../lib/file-checksum.ts'
import type { AddFile } from '../delta/actions.ts'
import { checksumOf } from '../delta/data-file.ts'
import type { BorrowedFile, ObjectStore } from '../objects/object-store.ts'

export interface SoundFiles {
  /** Lends the local file of the object at `path`; DATA_LOSS naming it if it is not the file that the log describes. */
  borrow(path: string, file: AddFile): Promise<BorrowedFile>
}

export function createSoundFiles(objects: ObjectStore, verifiedFilesMax: number): SoundFiles {
  const verified = new Set<string>()

  function remember(identity: string): void {
    if (verified.size >= verifiedFilesMax) verified.delete(verified.values().next().value!)
    verified.add(identity)
  }

  /** Undefined, or what is wrong with the local file. */
  async function problemOf(path: string, local: string, file: AddFile): Promise<string | undefined> {
    const { size, mtimeMs, ino } = await stat(local)
    if (size !== file.size) return `has ${size} bytes, its table's log says ${file.size}`
    const checksum = checksumOf(file)
    const identity = `${path}@${mtimeMs}/${ino}`
    if (checksum === undefined || verified.has(identity)) return undefined
    const found = await fileChecksum(local)
    if (found !== checksum) return `has checksum ${found}, its table's log says ${checksum}`
    remember(identity)
    return undefined
  }

  return {
    async borrow(path, file) {
      for (let again = true; ; again = false) {
        let borrowed: BorrowedFile | undefined
        try {
          borrowed = await objects.borrow(path)
          const problem = await problemOf(path, borrowed.file, file)
          if (problem === undefined) return borrowed
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
