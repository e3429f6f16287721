/** What every adapter of the object store port must do. */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'

/** `make` gives a store over an empty place, and `again` a second one over the same place, as another process has. */
export type MakeObjectStore = () => Promise<{
  readonly store: ObjectStore
  again(): Promise<ObjectStore>
  dispose(): Promise<void>
}>

const ODD_PATHS = [
  'a b/c d.txt',
  '100%/%41%2F.txt',
  'ünïcode/日本/🙂.bin',
  "q'uote/=+&;#?.json",
  'event_date=2001-01-01/x',
]

export function objectStoreContract(name: string, make: MakeObjectStore): void {
  describe(`object store contract: ${name}`, () => {
    let place: Awaited<ReturnType<MakeObjectStore>>
    let store: ObjectStore
    let local: string

    beforeEach(async () => {
      place = await make()
      store = place.store
      local = await mkdtemp(join(tmpdir(), 'twinstore-objects-local-'))
    })
    afterEach(async () => {
      await place.dispose()
      await rm(local, { recursive: true, force: true })
    })

    async function pathsOf(prefix: string, startAfter?: string): Promise<string[]> {
      const paths: string[] = []
      for await (const { path } of store.list(prefix, startAfter)) paths.push(path)
      return paths
    }

    test('an object that is not there reads as undefined, is deleted without error and has no local file', async () => {
      expect(await store.read('none/at/all')).toBeUndefined()
      await store.delete('none/at/all')
      await expect(store.borrow('none/at/all')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect(await pathsOf('')).toEqual([])
    })

    test('every way in gives the same bytes on every way out', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const ways: Record<string, (path: string) => Promise<unknown>> = {
        'in/absent': (path) => store.putIfAbsent(path, bytes),
        'in/put': (path) => store.put(path, bytes),
        'in/upload': async (path) => {
          await writeFile(join(local, 'file'), bytes)
          await store.upload(join(local, 'file'), path)
        },
      }
      for (const [path, write] of Object.entries(ways)) {
        await write(path)
        expect(await store.read(path)).toEqual(bytes)
        const borrowed = await store.borrow(path)
        expect(await readFile(borrowed.file)).toEqual(bytes)
        await borrowed.release()
        await borrowed.release()
        expect(await (await place.again()).read(path)).toEqual(bytes)
      }
    })

    test('an empty object is an object', async () => {
      expect(await store.putIfAbsent('empty', Buffer.alloc(0))).toBe(true)
      expect(await store.read('empty')).toEqual(Buffer.alloc(0))
      expect(await store.putIfAbsent('empty', Buffer.from('x'))).toBe(false)
    })

    test('putIfAbsent leaves what is there, put replaces it', async () => {
      expect(await store.putIfAbsent('a/b', Buffer.from('first'))).toBe(true)
      expect(await store.putIfAbsent('a/b', Buffer.from('second'))).toBe(false)
      expect(String(await store.read('a/b'))).toBe('first')
      await store.put('a/b', Buffer.from('third'))
      expect(String(await store.read('a/b'))).toBe('third')
      await store.delete('a/b')
      expect(await store.putIfAbsent('a/b', Buffer.from('fourth'))).toBe(true)
    })

    test('of 50 concurrent putIfAbsent through two stores exactly one wins, and its bytes are there', async () => {
      const other = await place.again()
      const contents = Array.from({ length: 50 }, (_, index) => `writer ${index} `.repeat(1000))
      const won = await Promise.all(
        contents.map((text, index) => (index % 2 ? other : store).putIfAbsent('deep/er/race.json', Buffer.from(text))),
      )
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(String(await store.read('deep/er/race.json'))).toBe(contents[won.indexOf(true)])
      expect(await pathsOf('')).toEqual(['deep/er/race.json'])
    })

    test('a reader meets the old or the new object while put replaces it, never a mixture', async () => {
      const [old, young] = [Buffer.alloc(100_000, 'o'), Buffer.alloc(120_000, 'y')]
      await store.put('replaced', old)
      let replacing = true
      const writing = (async () => {
        for (let round = 0; round < 20; round++) await store.put('replaced', round % 2 ? old : young)
        replacing = false
      })()
      while (replacing) {
        const seen = await store.read('replaced')
        expect(seen?.equals(old) || seen?.equals(young)).toBe(true)
      }
      await writing
    })

    test('upload takes the local file away', async () => {
      const file = join(local, 'part.parquet')
      await writeFile(file, 'rows')
      await store.upload(file, 'table/part.parquet')
      await expect(access(file)).rejects.toThrow()
      expect(String(await store.read('table/part.parquet'))).toBe('rows')
    })

    test('a file made in the staging folder can be uploaded and is not listed before', async () => {
      const file = join(store.stagingDir, 'made-by-a-job')
      await writeFile(file, 'rows')
      expect(await pathsOf('')).toEqual([])
      await store.upload(file, 'table/part.parquet')
      expect(await pathsOf('')).toEqual(['table/part.parquet'])
    })

    test('upload of a file that is not there fails and leaves nothing', async () => {
      await expect(store.upload(join(local, 'none'), 'x')).rejects.toMatchObject({ code: expect.any(String) })
      expect(await store.read('x')).toBeUndefined()
    })

    test('paths with spaces, percent signs and other characters are taken literally', async () => {
      for (const path of ODD_PATHS) expect(await store.putIfAbsent(path, Buffer.from(path))).toBe(true)
      for (const path of ODD_PATHS) expect(String(await store.read(path))).toBe(path)
      expect(new Set(await pathsOf(''))).toEqual(new Set(ODD_PATHS))
      for (const path of ODD_PATHS) expect(await pathsOf(path)).toEqual([path])
    })

    test('a listing tells sizes and times', async () => {
      await store.put('sized', Buffer.alloc(1234))
      for await (const found of store.list('')) {
        expect(found).toMatchObject({ path: 'sized', bytes: 1234 })
        expect(found.modifiedMs).toBeGreaterThan(Date.UTC(2020, 0, 1))
      }
    })

    test('a listing is sorted by UTF-8 bytes, across folders and names that begin alike', async () => {
      const paths = ['a-b', 'a.txt', 'a/x', 'a/w/y', 'a0', 'B', 'z\u{1F600}', 'z\uFF5E']
      for (const path of paths) await store.put(path, Buffer.from('.'))
      const sorted = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await pathsOf('')).toEqual(sorted)
    })

    test('prefix and startAfter select what a filter over everything selects', async () => {
      const paths = ['a/1', 'a/2', 'a/b/1', 'a/b/2', 'a/bc', 'a-', 'ab/1', 'b', 'c/d/e/f', 'c/d/e0']
      for (const path of paths) await store.put(path, Buffer.from('.'))
      const sorted = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const cut = fc.constantFrom(...paths.flatMap((path) => [path, path.slice(0, -1), `${path}0`, `${path}/`]))
      await fc.assert(
        fc.asyncProperty(cut, fc.option(cut, { nil: undefined }), async (prefix, startAfter) => {
          const wanted = sorted.filter(
            (path) => path.startsWith(prefix) && (startAfter === undefined || path > startAfter),
          )
          expect(await pathsOf(prefix, startAfter)).toEqual(wanted)
        }),
        { numRuns: 200 },
      )
    })

    test.each(['', '/a', 'a/', 'a//b', '.', 'a/../b', '../a', 'a/./b', 'a\0b', 'a\\b', '\ud800', 'x'.repeat(256)])(
      'path %j is refused',
      async (path) => {
        const refused = { code: 'INVALID_ARGUMENT' }
        await expect(store.read(path)).rejects.toMatchObject(refused)
        await expect(store.put(path, Buffer.from('.'))).rejects.toMatchObject(refused)
        await expect(store.putIfAbsent(path, Buffer.from('.'))).rejects.toMatchObject(refused)
        await expect(store.delete(path)).rejects.toMatchObject(refused)
        await expect(store.borrow(path)).rejects.toMatchObject(refused)
      },
    )
  })
}
