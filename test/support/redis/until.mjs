/** Waiting for a condition, never for a time: it is looked at until it holds or its deadline has passed. */
import { setTimeout as delay } from 'node:timers/promises'

const LOOK_EVERY_MS = 20

export async function until(what, timeoutMs, condition) {
  const deadline = performance.now() + timeoutMs
  let reason
  for (;;) {
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value
      reason = undefined
    } catch (error) {
      reason = error
    }
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs} ms${reason ? ` (${reason.message})` : ''}`, { cause: reason })
    }
    await delay(LOOK_EVERY_MS)
  }
}
