import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { objectStoreContract } from './object-store.ts'

objectStoreContract('folder', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-objects-'))
  return {
    store: await openFolderObjects(join(dir, 'made', 'by', 'open')),
    again: () => openFolderObjects(join(dir, 'made', 'by', 'open')),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
})

const HOUR_MS = 3_600_000
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'twinstore-objects-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function everything(store: ObjectStore): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of store.list('')) paths.push(path)
  return paths
}

async function leave(path: string, modifiedMs: number): Promise<void> {
  await writeFile(join(dir, '.staging', path), 'half')
  await utimes(join(dir, '.staging', path), modifiedMs / 1000, modifiedMs / 1000)
}

test('what a crash leaves behind is not an object', async () => {
  const store = await openFolderObjects(dir)
  await writeFile(join(store.stagingDir, 'put-of-a-crashed-process'), 'half')
  expect(await everything(store)).toEqual([])
  expect(await everything(await openFolderObjects(dir))).toEqual([])
  for (const path of ['.staging', '.staging/put-of-a-crashed-process']) {
    await expect(store.read(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})

test('opening sweeps what is older than the stated age, a folder by its youngest file, and nothing else', async () => {
  const nowMs = Date.UTC(2026, 0, 1)
  const store = await openFolderObjects(dir)
  await store.put('kept', Buffer.from('.'))
  await leave('old', nowMs - HOUR_MS - 1000)
  await leave('young', nowMs - HOUR_MS + 1000)
  for (const job of ['dead-job', 'live-job']) await mkdir(join(store.stagingDir, job))
  await leave('dead-job/a', nowMs - 2 * HOUR_MS)
  await leave('live-job/a', nowMs - 2 * HOUR_MS)
  await leave('live-job/b', nowMs)
  for (const job of ['dead-job', 'live-job']) {
    await utimes(join(store.stagingDir, job), nowMs / 1000 - 7200, nowMs / 1000 - 7200)
  }
  await openFolderObjects(dir, { nowMs, staleAgeMs: HOUR_MS })
  const left = ['old', 'young', 'dead-job', 'live-job/a', 'live-job/b'].filter((path) =>
    existsSync(join(store.stagingDir, path)),
  )
  expect(left).toEqual(['young', 'live-job/a', 'live-job/b'])
  expect(await everything(store)).toEqual(['kept'])
})

test('an upload from another file system copies and takes the file away', async () => {
  // Linux has a second file system here; elsewhere the upload is a rename and the test holds all the same.
  const elsewhere = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'twinstore-objects-'))
  try {
    const store = await openFolderObjects(dir)
    await writeFile(join(elsewhere, 'part'), 'rows')
    await store.upload(join(elsewhere, 'part'), 'table/part')
    expect(String(await store.read('table/part'))).toBe('rows')
    expect(existsSync(join(elsewhere, 'part'))).toBe(false)
    expect(await everything(store)).toEqual(['table/part'])
  } finally {
    await rm(elsewhere, { recursive: true, force: true })
  }
})

test('a store that cannot be written to says where and why', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(openFolderObjects(join(dir, 'file', 'below'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining(join(dir, 'file', 'below')),
  })
  const store = await openFolderObjects(join(dir, 'store'))
  await store.put('object', Buffer.from('.'))
  await expect(store.put('object/below', Buffer.from('.'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await store.read('object/below')).toBeUndefined()
})

test('a link to elsewhere is not listed', async () => {
  const store = await openFolderObjects(join(dir, 'store'))
  await writeFile(join(dir, 'secret'), '')
  await symlink(join(dir, 'secret'), join(dir, 'store', 'link'))
  expect(await everything(store)).toEqual([])
})

test('a process killed while it writes leaves whole objects only, all that it was told of among them', async () => {
  const script = join(dir, 'writer.mjs')
  const entryPoint = new URL('./object-store-writer.ts', import.meta.url).pathname
  await build({ entryPoints: [entryPoint], bundle: true, platform: 'node', format: 'esm', outfile: script })
  for (const objectsBeforeKill of [1, 4, 9, 23]) {
    const root = join(dir, `store-${objectsBeforeKill}`)
    const writer = spawn(process.execPath, [script, root], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(writer, 'exit')
    const acknowledged: string[] = []
    for await (const path of createInterface({ input: writer.stdout })) {
      acknowledged.push(path)
      if (acknowledged.length === objectsBeforeKill) writer.kill('SIGKILL')
    }
    expect(await exited).toEqual([null, 'SIGKILL'])
    const store = await openFolderObjects(root)
    const found = await everything(store)
    expect(found).toEqual(expect.arrayContaining(acknowledged))
    for (const path of found) {
      const bytes = (await store.read(path))!
      expect(bytes.equals(Buffer.alloc(300_000, bytes[0]))).toBe(true)
    }
  }
})
