/** Whether the process runs; one that has ended is not alive, even if its parent has not asked for its exit code. */
export function isAlive(pid: number): boolean
