export interface Endable {
  /** Synchronous, by process id. */
  endAtOnce(): void
}

/** From now on it ends with this process; `forget` it when it has ended. */
export function endWithThisProcess(started: Endable): void
export function forget(started: Endable): void
