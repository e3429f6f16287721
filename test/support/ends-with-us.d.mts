import type { ChildProcess } from 'node:child_process'

export interface Endable {
  /** Synchronous, by process id. */
  endAtOnce(): void
}

/** From now on it ends with this process; `forget` it when it has ended. */
export function endWithThisProcess(started: Endable): void
/** The same for a child process, which is forgotten by itself. */
export function endChildWithThisProcess(child: ChildProcess): void
export function forget(started: Endable): void
