/**
 * The S3 adapter with faults injected between it and a real server: each kind of fault against each kind of request, once and for
 * good.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { OpenedS3Objects } from '../../src/offline/objects/s3/open-s3-objects.ts'
import {
  type FaultProxy,
  type ProxiedRequest,
  S3_FAULTS,
  type S3FaultKind,
  startFaultProxy,
} from '../support/s3/fault-proxy.ts'
import { openPatiently, type S3TestOptions, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'

const PART = 5 * 2 ** 20
/** A fault-free answer takes a few milliseconds; one that takes longer than this is asked for again, which changes no result. */
const TIMEOUT_MS = 300

let server: S3Server
let proxy: FaultProxy
let bucket: string
let dir: string
let objects: OpenedS3Objects
/** The same place, past the proxy. */
let direct: OpenedS3Objects
const opened: OpenedS3Objects[] = []

async function open(more: Partial<S3TestOptions> = {}): Promise<OpenedS3Objects> {
  const store = await openPatiently({
    endpoint: proxy.endpoint,
    bucket,
    cacheDir: await mkdtemp(join(dir, 'cache-')),
    uploads: { partBytes: PART },
    requests: { requestTimeoutMs: TIMEOUT_MS, attemptsMax: 20 },
    ...more,
  })
  opened.push(store)
  return store
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'twinstore-s3-faults-'))
  server = await startS3Server()
  useCredentials(server.credentials)
  proxy = await startFaultProxy(server.endpoint)
  bucket = await server.makeBucket()
  objects = await open()
  direct = await open({ endpoint: server.endpoint })
})
afterAll(async () => {
  for (const store of opened) await store.close()
  await proxy?.dispose()
  await server?.dispose()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(() => {
  proxy.inject(() => undefined)
  proxy.requests.length = 0
})

/** The first request that `matches` meets the fault; those after it do not. */
function injectOnce(fault: S3FaultKind, matches: (request: Omit<ProxiedRequest, 'fault'>) => boolean): void {
  let done = false
  proxy.inject((request) => {
    if (done || !matches(request)) return undefined
    done = true
    return fault
  })
}

const isPut = ({ method }: Omit<ProxiedRequest, 'fault'>) => method === 'PUT'
const isGet = ({ method }: Omit<ProxiedRequest, 'fault'>) => method === 'GET'
let count = 0
const newPath = () => `objects/${++count}.bin`
const injected = () => proxy.requests.filter(({ fault }) => fault !== undefined).length

test.each(S3_FAULTS)('%s: a put-if-absent is ours, once, and what it says is so', async (fault) => {
  const path = newPath()
  injectOnce(fault, isPut)
  expect(await objects.putIfAbsent(path, Buffer.from('ours'))).toBe(true)
  await proxy.settled()
  expect(String(await direct.read(path))).toBe('ours')
  expect(await objects.putIfAbsent(path, Buffer.from('later'))).toBe(false)
  expect([injected(), String(await direct.read(path))]).toEqual([1, 'ours'])
})

test.each(S3_FAULTS)('%s: a put-if-absent that another writer came before is not taken for ours', async (fault) => {
  const path = newPath()
  await direct.putIfAbsent(path, Buffer.from('theirs'))
  injectOnce(fault, isPut)
  expect(await objects.putIfAbsent(path, Buffer.from('ours'))).toBe(false)
  await proxy.settled()
  expect([injected(), String(await direct.read(path))]).toEqual([1, 'theirs'])
})

test.each(S3_FAULTS)('%s: a store is opened though the object that is read to check it comes so', async (fault) => {
  injectOnce(fault, (request) => isGet(request) && request.url.includes('/if-none-match'))
  const { retries } = (await open()).numbers()
  expect([injected(), retries]).toEqual([1, 1])
})

test.each(S3_FAULTS)('%s: put, read, list and delete do what they say', async (fault) => {
  const path = newPath()
  const bytes = randomBytes(3000)
  injectOnce(fault, isPut)
  await objects.put(path, bytes)
  injectOnce(fault, isGet)
  expect(await objects.read(path)).toEqual(bytes)
  injectOnce(fault, isGet)
  const found: string[] = []
  for await (const object of objects.list(path)) found.push(object.path)
  expect(found).toEqual([path])
  injectOnce(fault, ({ method }) => method === 'DELETE')
  await objects.delete(path)
  await proxy.settled()
  expect([injected(), await direct.read(path)]).toEqual([4, undefined])
})

test.each(S3_FAULTS)('%s: a file goes up and comes down whole, in one piece and in parts', async (fault) => {
  for (const size of [40_000, 2 * PART + 17]) {
    const bytes = randomBytes(size)
    const [path, file] = [newPath(), join(dir, 'upload')]
    await writeFile(file, bytes)
    injectOnce(fault, isPut)
    await objects.upload(file, path)
    // Another machine's cache.
    const elsewhere = await open()
    injectOnce(fault, isGet)
    const borrowed = await elsewhere.borrow(path)
    expect((await readFile(borrowed.file)).equals(bytes)).toBe(true)
    await borrowed.release()
  }
  expect(injected()).toBe(4)
  await proxy.settled()
})

test.each(['lost-reply', 'error-after', 'short-answer'] as const)(
  '%s: an upload in parts that was completed is known to be',
  async (fault) => {
    const [path, file] = [newPath(), join(dir, 'upload')]
    const bytes = randomBytes(PART + 1)
    await writeFile(file, bytes)
    injectOnce(fault, ({ method, url }) => method === 'POST' && !url.includes('uploads'))
    await objects.upload(file, path)
    expect([injected(), (await direct.read(path))?.equals(bytes)]).toEqual([1, true])
  },
)

test('a body that breaks is gone on with from where it broke, however often, while it gets on', async () => {
  const [path, file] = [newPath(), join(dir, 'upload')]
  const bytes = randomBytes(8 * 2 ** 20)
  await writeFile(file, bytes)
  await direct.upload(file, path)
  const few = await open({ requests: { attemptsMax: 2 } })
  const fromOf = ({ headers }: Omit<ProxiedRequest, 'fault'>) => Number(/\d+/.exec(headers.range ?? '0')?.[0])
  proxy.inject((request) => (isGet(request) && fromOf(request) < 5 * 2 ** 20 ? 'short-answer' : undefined))
  proxy.requests.length = 0
  const borrowed = await few.borrow(path)
  expect((await readFile(borrowed.file)).equals(bytes)).toBe(true)
  expect(injected()).toBeGreaterThanOrEqual(2)
  const froms = proxy.requests.map(fromOf)
  expect(froms).toEqual([...new Set(froms)].sort((a, b) => a - b))
})

test.each(['error-before', 'reset-before', 'reset-upload', 'lost-reply', 'stall'] as const)(
  '%s for good: the error names the object, the store and the limit, and an upload leaves no parts',
  async (fault) => {
    const requestTimeoutMs = fault === 'stall' ? 300 : 10_000
    const impatient = await open({ requests: { requestTimeoutMs, attemptsMax: 3 } })
    const [path, file] = [newPath(), join(dir, 'upload')]
    await writeFile(file, randomBytes(2 * PART))
    proxy.inject(({ method, url }) =>
      method === 'PUT' || (method === 'GET' && url.includes(path)) ? fault : undefined,
    )
    const refused = {
      code: 'UNAVAILABLE',
      message: expect.stringMatching(`${path}.*${proxy.endpoint}.*s3-attempts-max`),
    }
    // All at once: most of their time is waiting for a stall to be given up.
    const calls = [
      impatient.read(path),
      impatient.borrow(path),
      impatient.put(path, Buffer.from('.')),
      impatient.upload(file, path),
    ]
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)))
    const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true })
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    client.destroy()
    expect(Uploads.filter(({ Key }) => Key === path)).toEqual([])
  },
)

test('a file that was cut on its way into the cache, with a length that fits, is fetched again by who checks it', async () => {
  const path = newPath()
  await direct.put(path, Buffer.from('whole'))
  const borrowed = await objects.borrow(path)
  await writeFile(borrowed.file, 'cut')
  expect(await borrowed.discard()).toBe(true)
  expect(await readFile((await objects.borrow(path)).file, 'utf8')).toBe('whole')
})

test('unfinished uploads are swept when they are old enough, and not before', async () => {
  const [path, file] = [newPath(), join(dir, 'upload')]
  const impatient = await open({ requests: { requestTimeoutMs: 10_000, attemptsMax: 1 } })
  await writeFile(file, randomBytes(2 * PART))
  // Neither parts nor the abort get through, as when the process is killed.
  proxy.inject(({ method }) => (method === 'PUT' || method === 'DELETE' ? 'reset-before' : undefined))
  await expect(impatient.upload(file, path)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  proxy.inject(() => undefined)
  const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true })
  const unfinished = async () =>
    ((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).map(({ Key }) => Key)
  expect(await unfinished()).toEqual([path])
  await open()
  expect(await unfinished()).toEqual([path])
  await open({ staleAgeMs: -60_000 })
  expect(await unfinished()).toEqual([])
  client.destroy()
})
