/**
 * Ports for Redis nodes: of each, the port and its bus port (port + 10000) are free and both lie below the range that
 * systems hand out to outgoing connections (from 32768 on Linux), so that a killed node finds its ports free again.
 */
import { createServer } from 'node:net'

export const BUS_OFFSET = 10_000
const FIRST = 11_000
const COUNT = 11_000
const ATTEMPTS_MAX = 100

/** Ports already given out by this process: a node that is down keeps its own. */
const given = new Set()

export async function freePort() {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (given.has(port) || !(await isFree(port)) || !(await isFree(port + BUS_OFFSET))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port in ${FIRST}..${FIRST + COUNT - 1} after ${ATTEMPTS_MAX} attempts`)
}

export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
