/** The cache of files over a real folder, with several processes' caches on it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { CacheRoom } from '../../src/offline/objects/cache/cache-room.ts'
import { type FileCache, type FileCacheOptions, openFileCache } from '../../src/offline/objects/cache/file-cache.ts'
import { FileSink } from '../../src/offline/objects/cache/file-sink.ts'
import type { BorrowedFile } from '../../src/offline/objects/object-store.ts'

const LIMITS = { bytesMax: 10_000, filesMax: 100 }

let dir: string
let nowSeconds = 1_800_000_000
const clock: Clock = { ...systemClock, nowMicros: () => nowSeconds * 1e6 }
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'twinstore-cache-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function opened(more: Partial<FileCacheOptions> = {}): Promise<FileCache> {
  return openFileCache({ dir, scope: 's', clock, beforeMs: 0, ...LIMITS, ...more })
}

let fetches: string[] = []
beforeEach(() => {
  fetches = []
})

/** Borrows a file of so many bytes; the clock goes on, so that uses are in order. */
async function borrow(cache: FileCache, path: string, bytes = 1000): Promise<BorrowedFile> {
  nowSeconds++
  return cache.borrow(path, async (sink) => {
    fetches.push(path)
    await sink.expect(bytes)
    for (let at = 0; at < bytes; at += 300) await sink.write(Buffer.alloc(Math.min(300, bytes - at), path[0]))
  })
}

async function use(cache: FileCache, path: string, bytes = 1000): Promise<void> {
  await (await borrow(cache, path, bytes)).release()
}

async function bytesKept(): Promise<number> {
  const names = await readdir(join(dir, 'files'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, 'files', name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('a file is fetched once, for all who ask at the same time and for all processes after', async () => {
  const [one, other] = [await opened(), await opened()]
  const all = await Promise.all(Array.from({ length: 5 }, () => borrow(one, 'a/b.parquet')))
  expect(new Set(all.map(({ file }) => extname(file)))).toEqual(new Set(['.parquet']))
  for (const { file } of all) expect(await readFile(file, 'utf8')).toBe('a'.repeat(1000))
  for (const borrowed of all) await borrowed.release()
  expect(existsSync(all[0]!.file)).toBe(false)
  await use(other, 'a/b.parquet')
  await use(one, 'a/b.parquet')
  expect(fetches).toEqual(['a/b.parquet'])
})

test("another store's file of the same path is another file", async () => {
  await use(await opened(), 'a')
  await use(await opened({ scope: 't' }), 'a')
  expect(fetches).toEqual(['a', 'a'])
})

test('a fetch that fails or ends early is told to all who wait, leaves nothing, and the next one is its own', async () => {
  const cache = await opened()
  const failing = () => cache.borrow('a', () => Promise.reject(new Error('no line')))
  expect(await Promise.allSettled([failing(), failing()])).toMatchObject([
    { reason: { message: 'no line' } },
    { reason: { message: 'no line' } },
  ])
  const short = cache.borrow('a', async (sink) => {
    await sink.expect(1000)
    await sink.write(Buffer.alloc(999))
  })
  await expect(short).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(await readdir(join(dir, 'files'))).toEqual([])
  const [own] = await readdir(join(dir, 'processes'))
  expect(await readdir(join(dir, 'processes', own!))).toEqual([])
  await use(cache, 'a')
  expect(fetches).toEqual(['a'])
})

test('the least recently used go first, those on loan never', async () => {
  const cache = await opened()
  const lent = await borrow(cache, 'lent')
  for (const path of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) await use(cache, path)
  await use(cache, 'b')
  fetches = []
  await use(cache, 'i')
  await use(cache, 'j')
  for (const path of ['b', 'lent', 'h', 'i', 'j']) await use(cache, path)
  expect(fetches).toEqual(['i', 'j'])
  await use(cache, 'c')
  expect(fetches).toEqual(['i', 'j', 'c'])
  expect(await readFile(lent.file, 'utf8')).toBe('l'.repeat(1000))
})

test('what is on loan is never evicted by anybody, and a job that needs more is refused by the limit it meets', async () => {
  const [one, other] = [await opened(), await opened()]
  const loans: BorrowedFile[] = []
  for (const path of 'abcdefgh') loans.push(await borrow(one, path))
  await expect(borrow(other, 'big', 3000)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining('s3-cache-bytes'),
  })
  for (const { file } of loans) expect((await stat(file)).size).toBe(1000)
  for (const loan of loans) await loan.release()
  await use(other, 'big', 3000)
  await expect(use(other, 'bigger', 10_001)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
  const few = await opened({ filesMax: 2 })
  const [first] = [await borrow(few, 'x'), await borrow(few, 'y')]
  await expect(borrow(few, 'z')).rejects.toMatchObject({ message: expect.stringContaining('s3-cache-files-max') })
  await first.release()
  await use(few, 'z')
})

test('a damaged copy is dropped for everybody, and fetched anew', async () => {
  const [one, other] = [await opened(), await opened()]
  const [bad, alsoBad] = [await borrow(one, 'a'), await borrow(one, 'a')]
  expect(await bad.discard()).toBe(true)
  const good = await borrow(one, 'a')
  expect(good.file).not.toBe(bad.file)
  expect(existsSync(alsoBad.file)).toBe(true)
  await alsoBad.release()
  await alsoBad.release()
  expect(existsSync(bad.file)).toBe(false)
  await use(other, 'a')
  expect(fetches).toEqual(['a', 'a'])
  expect(existsSync(good.file)).toBe(true)
})

test('a file just written is its own copy, and a forgotten one is none', async () => {
  const cache = await opened()
  const file = join(cache.stagingDir, 'part')
  await writeFile(file, 'rows')
  await cache.adopt('table/part', file)
  expect(existsSync(file)).toBe(false)
  const borrowed = await borrow(cache, 'table/part')
  expect(await readFile(borrowed.file, 'utf8')).toBe('rows')
  await cache.forget('table/part')
  expect(await readFile(borrowed.file, 'utf8')).toBe('rows')
  await use(cache, 'table/part')
  expect(fetches).toEqual(['table/part'])
})

test('what a killed process was fetching is no copy, what it had fetched is one, and its loans end', async () => {
  const script = join(dir, 'child.mjs')
  const entryPoint = new URL('./file-cache-child.ts', import.meta.url).pathname
  await build({ entryPoints: [entryPoint], bundle: true, platform: 'node', format: 'esm', outfile: script })
  const child = spawn(process.execPath, [script, dir, 'a', 'b'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lent: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'fetching') child.kill('SIGKILL')
    else lent.push(line)
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
  expect(lent.map((file) => existsSync(file))).toEqual([true, true])
  const cache = await opened()
  expect(lent.map((file) => existsSync(file))).toEqual([false, false])
  expect(await readdir(join(dir, 'processes'))).toHaveLength(1)
  for (const path of ['a', 'b', 'never-whole']) await use(cache, path)
  expect(fetches).toEqual(['never-whole'])
})

test('on a full disk copies that nobody reads make room, and then the disk is named', async () => {
  const cache = await opened()
  const lent = await borrow(cache, 'a')
  await use(cache, 'b')
  // Every write to this device fails as on a full disk.
  const sink = new FileSink(await open('/dev/full', 'w'), new CacheRoom(join(dir, 'files'), LIMITS), dir)
  await sink.expect(10)
  await expect(sink.write(Buffer.alloc(10))).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining(`${dir}: the disk is full`),
  })
  await sink.close()
  expect(await bytesKept()).toBe(1000)
  expect(existsSync(lent.file)).toBe(true)
})

test('staged files of jobs that are gone are removed when a cache opens', async () => {
  const { stagingDir } = await opened()
  await writeFile(join(stagingDir, 'left'), '')
  await opened({ beforeMs: Date.now() - 60_000 })
  expect(await readdir(stagingDir)).toEqual(['left'])
  await opened({ beforeMs: Date.now() + 60_000 })
  expect(await readdir(stagingDir)).toEqual([])
})

test('whatever two processes borrow and give back, loans stay whole and the folder within its bound', async () => {
  const step = fc.record({
    cache: fc.constantFrom(0, 1),
    path: fc.constantFrom(...'abcdefghijklmnop'),
    act: fc.constantFrom('borrow', 'release', 'discard', 'forget'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const caches = [await opened(), await opened()]
      const loans: { readonly path: string; readonly borrowed: BorrowedFile }[] = []
      for (const { cache, path, act } of steps) {
        if (act === 'borrow') {
          const borrowed = await borrow(caches[cache]!, path).catch((error) => {
            expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
          })
          if (borrowed) loans.push({ path, borrowed })
        } else if (act === 'forget') await caches[cache]!.forget(path)
        else await loans.shift()?.borrowed[act]()
        expect(await bytesKept()).toBeLessThanOrEqual(10_000)
        for (const loan of loans) expect(await readFile(loan.borrowed.file, 'utf8')).toBe(loan.path.repeat(1000))
      }
      for (const cache of caches) await cache.close()
    }),
    { numRuns: 60 },
  )
})
