/**
 * Group commit: changes that arrive while a commit is on its way to disk share the next one.
 *
 * One transaction is under way at a time, although LMDB would queue more: each waiting one would hold a thread of the
 * pool that file reads and name look-ups need too. A transaction takes at most `rowsMax` rows (or one change), because
 * its changes run on the event loop.
 */
interface Change {
  readonly rows: number
  /** Never rejects. */
  commit(): Promise<void>
}

export interface CommitQueue {
  /** Runs `apply` in a transaction; resolves with its result once that is committed. */
  run<T>(rows: number, apply: () => T): Promise<T>
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export function commitQueue(transact: <T>(apply: () => T) => Promise<T>, rowsMax: number): CommitQueue {
  let waiting: Change[] = []
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const count = groupLength(waiting, rowsMax)
      const group = waiting.slice(0, count)
      waiting = waiting.slice(count)
      // Started in one turn, they become one LMDB transaction.
      await Promise.all(group.map((change) => change.commit()))
    }
    draining = undefined
  }

  return {
    run<T>(rows: number, apply: () => T) {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ rows, commit: () => transact(apply).then(resolve, reject) })
        draining ??= drain()
      })
    },
    async idle() {
      await draining
    },
  }
}

function groupLength(changes: readonly Change[], rowsMax: number): number {
  let rows = 0
  for (let count = 0; count < changes.length; count++) {
    rows += changes[count]!.rows
    if (rows > rowsMax) return Math.max(1, count)
  }
  return changes.length
}
