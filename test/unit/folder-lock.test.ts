import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FolderInUseError, lockFolder } from '../../src/lib/folder-lock.ts'

/** Compiled by the build that runs before the tests: a child process cannot run TypeScript. */
const LOCK_MODULE = new URL('../../dist/lib/folder-lock.js', import.meta.url).href

let dir: string
const children: ChildProcess[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folder-lock-'))
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

/** A process that takes the lock when its input says so, prints what came of it, and holds it until killed. */
function contender(): { readonly child: ChildProcess; readonly ready: Promise<unknown>; take(): Promise<string> } {
  const script = `
    import { lockFolder } from '${LOCK_MODULE}'
    console.log('ready')
    process.stdin.once('data', () => lockFolder(process.argv[1]).then(() => console.log('held'), (error) => console.log(error.name)))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const ready = lines.next()
  return {
    child,
    ready,
    async take() {
      child.stdin!.write('go\n')
      return (await lines.next()).value as string
    },
  }
}

test('a second taker is refused with the folder and the process, and gets it after the release', async () => {
  const lock = await lockFolder(dir)
  const refusal = await lockFolder(dir).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(FolderInUseError)
  expect((refusal as Error).message).toContain(dir)
  expect((refusal as Error).message).toContain(`process ${process.pid}`)
  lock.release()
  ;(await lockFolder(dir)).release()
  expect(await readdir(dir)).toEqual([])
})

test('the lock of a killed process is taken over', async () => {
  const { child, ready, take } = contender()
  await ready
  expect(await take()).toBe('held')
  await expect(lockFolder(dir)).rejects.toThrow(`process ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = await lockFolder(dir)
  expect(await readdir(dir)).toHaveLength(1)
  lock.release()
})

test('a live process with the id of a dead owner does not hold its lock', async () => {
  await writeFile(join(dir, 'lock.7'), JSON.stringify({ pid: process.pid, start: 'boot/1', token: 'another' }))
  const lock = await lockFolder(dir)
  const [name] = await readdir(dir)
  expect(name).toBe('lock.8')
  expect(JSON.parse(await readFile(join(dir, name!), 'utf8')).pid).toBe(process.pid)
  lock.release()
})

test('a lock file without content is taken over', async () => {
  await writeFile(join(dir, 'lock.1'), '')
  ;(await lockFolder(dir)).release()
})

test('of several starters over a stale lock never more than one wins, and one does', async () => {
  for (let round = 0; round < 5; round++) {
    await writeFile(
      join(dir, `lock.${round + 1}`),
      JSON.stringify({ pid: process.pid, start: 'boot/1', token: 'stale' }),
    )
    const contenders = Array.from({ length: 4 }, contender)
    await Promise.all(contenders.map(({ ready }) => ready))
    const outcomes = await Promise.all(contenders.map(({ take }) => take()))
    expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1)
    for (const { child } of contenders) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
})
