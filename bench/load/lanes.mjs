/** The connections of a client of the load generator: opened together, asked in turn, and looked at for calls that are overdue. */
const EXPIRY_CHECK_MS = 20

/**
 * `lanes`: each has `opened()`, `expire(nowMs, deadlineMs)` and `close()`. Resolves when all are open, to `next()`, the one whose turn it is,
 * and `close()`; rejects with `target` in the message if one cannot be.
 */
export async function openLanes(target, lanes, deadlineMs) {
  const timer = setInterval(() => {
    for (const lane of lanes) lane.expire(performance.now(), deadlineMs)
  }, EXPIRY_CHECK_MS)
  const close = () => {
    clearInterval(timer)
    for (const lane of lanes) lane.close()
  }
  try {
    await Promise.all(lanes.map((lane) => lane.opened()))
  } catch (error) {
    close()
    throw new Error(`${target}: ${error.message}`)
  }
  let turn = 0
  const next = () => {
    const lane = lanes[turn]
    turn = (turn + 1) % lanes.length
    return lane
  }
  return { next, close }
}

/** `host:port` as sockets take it. */
export function socketAddress(target) {
  const colon = target.lastIndexOf(':')
  return { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) }
}
