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

export function freePort() {
  return freePorts(1)
}

export async function freePorts(count) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const first = FIRST + Math.floor(Math.random() * (COUNT - count + 1))
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if (ports.some((port) => given.has(port))) continue
    const free = await Promise.all(ports.flatMap((port) => [isFree(port), isFree(port + BUS_OFFSET)]))
    if (free.includes(false)) continue
    for (const port of ports) given.add(port)
    return first
  }
  throw new Error(`no free ports in ${FIRST}..${FIRST + COUNT - 1} after ${ATTEMPTS_MAX} attempts`)
}

export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
