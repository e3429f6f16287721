/** Borrowed files of one piece of work, which are given back together. */
import type { BorrowedFile } from '../objects/object-store.ts'

export interface Loans {
  /** The local file, once it is lent. What comes after the end is given back at once: nobody uses it any more. */
  take(loan: Promise<BorrowedFile>): Promise<string>
}

/** Lets `work` borrow files; they are given back when it has ended, in whatever way. */
export async function withLoans<T>(work: (loans: Loans) => Promise<T>): Promise<T> {
  const taken: BorrowedFile[] = []
  let ended = false
  const take = async (loan: Promise<BorrowedFile>): Promise<string> => {
    const borrowed = await loan
    if (ended) await borrowed.release()
    else taken.push(borrowed)
    return borrowed.file
  }
  try {
    return await work({ take })
  } finally {
    ended = true
    await Promise.all(taken.map((borrowed) => borrowed.release()))
  }
}
