/**
 * One process per folder, by a file in it that names its owner and survives the owner's end by SIGKILL.
 *
 * A lock is a file `lock.<generation>` with the owner's process id and start time (the id alone may be another program's
 * by now). A dead owner's lock is taken over by making the next generation, never by changing or removing it first: the
 * file is made as a hard link, which one of several starters gets, and which appears with its content. A starter that
 * then sees another live lock gives way, so that two never both win, whatever each saw before; those that gave way to
 * each other try again after a random wait.
 *
 * Rejected: removing a stale file and making it again (a slow starter removes the new owner's file), and kernel locks
 * (Node has none). Bound: processes that cannot see each other (containers with process namespaces of their own) count as
 * dead to each other; give each its own folder.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { bootId } from './boot-id.ts'

export interface FolderLock {
  release(): void
}

/** Another live process has the folder. */
export class FolderInUseError extends Error {
  readonly dir: string
  readonly pid: number

  constructor(dir: string, pid: number) {
    super(`${dir} is in use by process ${pid}: stop that process, or give another folder`)
    this.name = 'FolderInUseError'
    this.dir = dir
    this.pid = pid
  }
}

interface Owner {
  readonly pid: number
  /** What tells this process from an earlier or later one with the same id; undefined where the system does not tell. */
  readonly start?: string
  readonly token: string
}

interface FoundLock {
  readonly generation: number
  readonly path: string
  /** Undefined for a file that a loss of power left without content. */
  readonly owner: Owner | undefined
}

/** Six tries with waits of 5 to 40 ms: starters that met have long parted, and a refusal comes within 0.2 s. */
const TRIES = 6
const WAIT_MS_MIN = 5
const WAIT_MS_MAX = 40

/** Takes the folder for this process (made if there is none). Rejects with `FolderInUseError` if another one has it. */
export async function lockFolder(dir: string): Promise<FolderLock> {
  mkdirSync(dir, { recursive: true })
  const start = startOf(process.pid)
  const owner: Owner = { pid: process.pid, token: randomUUID(), ...(start === undefined ? {} : { start }) }
  for (let tries = 1; ; tries++) {
    const attempt = tryLock(dir, owner)
    if (attempt.path !== undefined) return heldLock(attempt.path)
    if (tries === TRIES) throw new FolderInUseError(dir, attempt.holder.pid)
    await wait(randomInt(WAIT_MS_MIN, WAIT_MS_MAX))
  }
}

type Attempt = { readonly path: string } | { readonly path?: undefined; readonly holder: Owner }

function tryLock(dir: string, owner: Owner): Attempt {
  const before = findLocks(dir)
  const holder = liveOwner(before, owner)
  if (holder !== undefined) return { holder }
  const path = makeLock(dir, nextGeneration(before), owner)
  // Another starter made this generation in between: look again.
  if (path === undefined) return tryLock(dir, owner)
  const after = findLocks(dir)
  const rival = liveOwner(after, owner)
  if (rival !== undefined) {
    rmSync(path, { force: true })
    return { holder: rival }
  }
  for (const stale of after) if (stale.path !== path) rmSync(stale.path, { force: true })
  return { path }
}

function heldLock(path: string): FolderLock {
  return { release: () => rmSync(path, { force: true }) }
}

function findLocks(dir: string): FoundLock[] {
  return readdirSync(dir)
    .map((name) => /^lock\.(\d+)$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => ({
      generation: Number(match[1]),
      path: join(dir, match[0]),
      owner: readOwner(join(dir, match[0])),
    }))
}

function nextGeneration(locks: readonly FoundLock[]): number {
  return locks.reduce((greatest, lock) => Math.max(greatest, lock.generation), 0) + 1
}

/** The path of the lock made; undefined if the generation exists. */
function makeLock(dir: string, generation: number, owner: Owner): string | undefined {
  const path = join(dir, `lock.${generation}`)
  const draft = join(dir, `lock-draft-${owner.token}`)
  writeFileSync(draft, `${JSON.stringify(owner)}\n`)
  try {
    linkSync(draft, path)
    return path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>
    return typeof owner.pid === 'number' && typeof owner.token === 'string' ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

function liveOwner(locks: readonly FoundLock[], self: Owner): Owner | undefined {
  return locks
    .map((lock) => lock.owner)
    .find((owner) => owner !== undefined && owner.token !== self.token && isAlive(owner))
}

function isAlive(owner: Owner): boolean {
  if (owner.start !== undefined) return startOf(owner.pid) === owner.start
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * When a process started, as `<boot id>/<clock ticks after boot>`, from /proc/<pid>/stat (see proc(5)); undefined if there
 * is no such process, if it has ended and only waits to be reaped, or if the system has no /proc.
 */
function startOf(pid: number): string | undefined {
  const boot = bootId()
  if (boot === undefined) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name, in parentheses, may hold anything: fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state] = fields
    const startTicks = fields[19]
    return state === 'Z' || state === 'X' ? undefined : `${boot}/${startTicks}`
  } catch {
    return undefined
  }
}
