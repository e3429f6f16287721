/** Waits. Unlike `Clock.after` the timer keeps the process alive, so that a command between two attempts does not just end. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs)
  })
}
