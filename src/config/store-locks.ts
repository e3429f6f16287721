import { TwinstoreError } from '../domain/errors.ts'
import { FolderInUseError, lockFolder } from '../lib/folder-lock.ts'
import type { StoreFolders } from './store-location.ts'

/**
 * Takes the folders of a server's stores; returns what gives them back. FAILED_PRECONDITION if another server has one: it
 * would have a cache of its own that hears of no write of this one.
 */
export async function lockStores(folders: StoreFolders): Promise<() => void> {
  const unlockData = await lock('data-dir', folders.data)
  if (folders.online === undefined) return unlockData
  try {
    const unlockOnline = await lock('online', folders.online)
    return () => {
      unlockOnline()
      unlockData()
    }
  } catch (error) {
    unlockData()
    throw error
  }
}

async function lock(option: 'data-dir' | 'online', folder: string): Promise<() => void> {
  try {
    const held = await lockFolder(folder)
    return () => held.release()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const problem = error instanceof FolderInUseError ? reason : `cannot use ${folder}: ${reason}`
    throw new TwinstoreError('FAILED_PRECONDITION', `${problem} (option ${option})`, { cause: error })
  }
}
