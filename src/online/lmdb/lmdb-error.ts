/** What LMDB and the operating system report, as errors that say what to do. */
import { asTwinstoreError, TwinstoreError } from '../../domain/errors.ts'

/** LMDB's own codes are from lmdb.h; positive ones are errno. */
const MDB_INVALID = -30793
const MDB_VERSION_MISMATCH = -30794
const MDB_PANIC = -30795
const MDB_CORRUPTED = -30796
const MDB_PAGE_NOTFOUND = -30797
const MDB_MAP_FULL = -30792
const EIO = 5
const EACCES = 13
const ENOSPC = 28
const EROFS = 30
const EDQUOT = 122

/** A failed transaction: nothing of it is stored. */
export async function lmdbFault(error: unknown): Promise<TwinstoreError> {
  if (error instanceof TwinstoreError) return error
  const cause = await commitCause(error)
  const detail = cause instanceof Error ? cause.message : String(cause)
  switch (codeOf(cause)) {
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL:
      return new TwinstoreError(
        'RESOURCE_EXHAUSTED',
        `the online store's disk is full (${detail}); nothing of this change was stored, reads go on: free disk space`,
        { cause },
      )
    case EIO:
      return new TwinstoreError(
        'UNAVAILABLE',
        `the online store's disk refused a write (${detail}), as a full or failing disk does; nothing of this change was stored, reads go on: check the disk`,
        { cause },
      )
    case MDB_PANIC:
      return new TwinstoreError(
        'UNAVAILABLE',
        `the online store must be opened again (${detail}): restart the server`,
        {
          cause,
        },
      )
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
      return new TwinstoreError('DATA_LOSS', `the online store is damaged (${detail}): ${REBUILD}`, { cause })
    default:
      return asTwinstoreError(cause)
  }
}

export function openFault(dir: string, error: unknown): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  const detail = error instanceof Error ? error.message : String(error)
  switch (codeOf(error)) {
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
      return new TwinstoreError(
        'DATA_LOSS',
        `${dir} is not an online store, or it is damaged (${detail}): give another folder (--online lmdb:<dir>), or ${REBUILD}`,
        { cause: error },
      )
    case MDB_VERSION_MISMATCH:
      return new TwinstoreError(
        'FAILED_PRECONDITION',
        `${dir} was made by another version of LMDB (${detail}): give another folder (--online lmdb:<dir>)`,
        { cause: error },
      )
    case EACCES:
    case EROFS:
      return new TwinstoreError(
        'FAILED_PRECONDITION',
        `cannot write in ${dir} (${detail}): give a folder this user may write (--online lmdb:<dir>)`,
        { cause: error },
      )
    default:
      return new TwinstoreError('UNAVAILABLE', `cannot open the online store in ${dir}: ${detail}`, { cause: error })
  }
}

export const REBUILD =
  'move the folder away and start again, which seeds a new one from the offline store (rows not archived yet are only in the old one)'

function codeOf(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'number' ? code : undefined
}

/** lmdb-js puts why a commit failed into a promise that always rejects. */
async function commitCause(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return error
  try {
    return await error.commitError
  } catch (cause) {
    return cause
  }
}
