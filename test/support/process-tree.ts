/** What processes a server consists of and which of them holds which connections, as Linux tells it in /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const ESTABLISHED = '01'

/** The processes that this one started itself; for a server with workers, those. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.filter(isRunning)
}

/** The process, what it started, what those started, and so on. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

/** One that has ended and only waits to be reaped is not running. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
  } catch {
    return false
  }
}

/** How many connections to the IPv4 port each of the processes has accepted. */
export function acceptedConnections(port: number, pids: readonly number[]): number[] {
  const inodes = socketsOf(port)
  return pids.map((pid) => openSockets(pid).filter((inode) => inodes.has(inode)).length)
}

function socketsOf(port: number): Set<string> {
  const [, ...lines] = readFileSync('/proc/net/tcp', 'latin1').trim().split('\n')
  const fields = lines.map((line) => line.trim().split(/\s+/))
  const accepted = fields.filter(([, local, , state]) => state === ESTABLISHED && portOf(local!) === port)
  return new Set(accepted.map((field) => field[9]!))
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16)
}

function openSockets(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.slice(1) ?? []
    } catch {
      // Closed since it was listed.
      return []
    }
  })
}
