/** Keeps the process running although nothing else does; returns what ends that. The timers of `Clock` do not. */
export function keepAlive(): () => void {
  const timer = setInterval(() => undefined, 2 ** 30)
  return () => clearInterval(timer)
}
