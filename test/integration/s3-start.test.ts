/** What an operator is told when the bucket, the rights, the region, the clock or the store is not as it should be. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { freePort } from '../support/redis/free-port.mjs'
import { openTestObjects, type S3TestOptions, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'
import { startServerProcess } from '../support/server-process.ts'

const LEDGER = new URL('../fixtures/ledger', import.meta.url).pathname

let server: S3Server
let bucket: string
let dir: string
const raw: TcpServer[] = []
beforeAll(async () => {
  server = await startS3Server()
  bucket = await server.makeBucket()
  dir = await mkdtemp(join(tmpdir(), 'twinstore-s3-start-'))
})
afterAll(async () => {
  for (const each of raw) each.close()
  await server?.dispose()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(() => useCredentials(server.credentials))

async function everything(objects: ObjectStore): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of objects.list('')) paths.push(path)
  return paths
}

/** Why the store is not opened. */
async function refusal(options: Partial<S3TestOptions>): Promise<{ readonly code: string; readonly message: string }> {
  const opening = openTestObjects({ endpoint: server.endpoint, bucket, cacheDir: join(dir, 'cache'), ...options })
  return opening.then(
    () => ({ code: 'OK', message: 'it was opened' }),
    (error) => error,
  )
}

/** A server of a few lines; gives its endpoint. */
async function serveRaw(listener: RequestListener): Promise<string> {
  const made = createServer((request, response) => {
    request.resume()
    listener(request, response)
  })
  raw.push(made)
  made.listen(0, '127.0.0.1')
  await once(made, 'listening')
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`
}

/** As S3 answers a request that it refuses. */
function refusing(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  return serveRaw((_, response) => {
    response.writeHead(status, { 'content-type': 'application/xml', ...headers })
    response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error>${body}<RequestId>1</RequestId></Error>`)
  })
}

test('a store as it should be is opened, and shows nothing of the checks', async () => {
  const objects = await openTestObjects({ endpoint: server.endpoint, bucket, cacheDir: join(dir, 'cache') })
  expect(await everything(objects)).toEqual([])
  await objects.close()
})

test('a bucket that is not there', async () => {
  expect(await refusal({ bucket: 'nobody-has-this' })).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(/no bucket nobody-has-this at http.*make it, or correct --offline or --s3-endpoint/),
  })
})

test('a wrong secret, an unknown key, and rights that the credentials do not have', async () => {
  useCredentials({ ...server.credentials, secretAccessKey: 'wrong' })
  expect(await refusal({})).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('AWS_SECRET_ACCESS_KEY'),
  })
  useCredentials({ accessKeyId: 'unknown', secretAccessKey: 'x' })
  expect((await refusal({})).message).toContain('AWS_ACCESS_KEY_ID')
  useCredentials(server.addUser())
  const { code, message } = await refusal({})
  expect([code, message]).toEqual([
    'FAILED_PRECONDITION',
    expect.stringMatching(`right on bucket ${bucket}.*docs/s3.md`),
  ])
})

test('a bucket in another region, as S3 tells it in its three ways', async () => {
  const moved = await refusing(
    301,
    `<Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the specified endpoint.</Message><Endpoint>${bucket}.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>${bucket}</Bucket>`,
    { 'x-amz-bucket-region': 'eu-central-1' },
  )
  const malformed = await refusing(
    400,
    "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region>",
  )
  for (const endpoint of [moved, malformed]) {
    expect(await refusal({ endpoint })).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(`bucket ${bucket} is in region eu-central-1`),
    })
    expect((await refusal({ endpoint })).message).toContain('set --s3-region eu-central-1')
  }
  const unsaid = await refusing(
    301,
    `<Code>PermanentRedirect</Code><Message>.</Message><Endpoint>${bucket}.s3.eu-central-1.amazonaws.com</Endpoint>`,
  )
  expect((await refusal({ endpoint: unsaid })).message).toMatch(/at .*s3.eu-central-1.amazonaws.com.*--s3-region/)
})

test('a store that is not there, does not answer, or is none', async () => {
  const requests = { attemptsMax: 2, requestTimeoutMs: 200 }
  const nobody = `http://127.0.0.1:${await freePort()}`
  expect(await refusal({ endpoint: nobody, requests })).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(`${nobody} cannot be reached \\(ECONNREFUSED\\); check --s3-endpoint`),
  })
  const silent = await serveRaw(() => undefined)
  expect((await refusal({ endpoint: silent, requests })).message).toContain('s3-request-timeout')
  const garbage = createTcpServer((socket) => socket.end('*1\r\n$4\r\nPONG\r\n'))
  raw.push(garbage)
  garbage.listen(0, '127.0.0.1')
  await once(garbage, 'listening')
  const noHttp = `http://127.0.0.1:${(garbage.address() as AddressInfo).port}`
  expect(await refusal({ endpoint: noHttp, requests })).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(`${noHttp} broke off the connection \\(HPE_`),
  })
  const page = await serveRaw((_, response) => response.end('<html><body>Welcome & <br> hello</body></html>'))
  expect(await refusal({ endpoint: page, requests })).toMatchObject({
    code: expect.any(String),
    message: expect.stringContaining(page),
  })
  const tls = await refusal({ endpoint: server.endpoint.replace('http:', 'https:'), requests })
  expect(tls).toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('no safe connection') })
})

const EMPTY_LIST =
  '<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>'

test('a store that puts an object over one that exists, whatever it is asked, is refused by that name', async () => {
  let puts = 0
  const endpoint = await serveRaw((request, response) => {
    if (request.method === 'PUT') puts++
    response.end(request.method === 'GET' ? EMPTY_LIST : '')
  })
  expect(await refusal({ endpoint })).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(/does not honour `If-None-Match: \*`.*overwrite the commits of others/),
  })
  expect(puts).toBe(2)
  const unable = await serveRaw((request, response) => {
    if (request.method === 'GET') return response.end(EMPTY_LIST)
    response.writeHead(501, { 'content-type': 'application/xml' })
    return response.end(
      '<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message></Error>',
    )
  })
  expect((await refusal({ endpoint: unable })).message).toContain('does not honour')
})

test('names are as the store sends them, encoded or not, and folders of a console are none', async () => {
  const contents = (...keys: string[]) =>
    keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')
  for (const [encoding, keys] of [
    ['<EncodingType>url</EncodingType>', ['', 'a/', 'a/b%2525+c', 'd%01']],
    ['', ['', 'a/', 'a/b%25 c', 'd']],
  ] as const) {
    const endpoint = await serveRaw((request, response) => {
      if (request.method === 'PUT') response.statusCode = 412
      const listed = `${encoding}${contents(...keys.map((key) => `p/${key}`))}<KeyCount>`
      response.end(request.method === 'GET' ? EMPTY_LIST.replace('<KeyCount>', listed) : '')
    })
    const objects = await openTestObjects({ endpoint, bucket, prefix: 'p/', cacheDir: join(dir, 'cache') })
    expect(await everything(objects)).toEqual(['a/b%25 c', encoding === '' ? 'd' : 'd\u0001'])
    await objects.close()
  }
})

test('a store that lists in an order of its own is refused when it shows it', async () => {
  const key = (name: string) =>
    `<Contents><Key>${name}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`
  const endpoint = await serveRaw((request, response) => {
    if (request.method === 'PUT') response.statusCode = 412
    response.end(request.method === 'GET' ? EMPTY_LIST.replace('<KeyCount>', `${key('b')}${key('a')}<KeyCount>`) : '')
  })
  const objects = await openTestObjects({ endpoint, bucket, cacheDir: join(dir, 'cache') })
  await expect(everything(objects)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('not in the order of their bytes'),
  })
  await objects.close()
})

test('a region that nothing names', async () => {
  const names = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_PROFILE']
  const before = names.map((name) => [name, process.env[name]] as const)
  for (const name of names) delete process.env[name]
  process.env['AWS_CONFIG_FILE'] = join(dir, 'none')
  try {
    const { code, message } = await refusal({ location: { bucket, prefix: '', pathStyle: false } })
    expect([code, message]).toEqual([
      'FAILED_PRECONDITION',
      expect.stringContaining('no region is set; give --s3-region'),
    ])
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
})

let count = 0
/** The command as an operator runs it, with this environment besides; gives what it says when it ends. */
async function serve(offline: string, environment: Record<string, string> = {}, ...flags: string[]): Promise<string> {
  const before = { ...process.env }
  Object.assign(process.env, environment)
  try {
    const dataDir = join(dir, `data-${++count}`)
    const started = startServerProcess({
      dataDir,
      definitions: LEDGER,
      flags: ['--offline', offline, '--s3-endpoint', server.endpoint, ...flags],
    })
    const running = await started
    await running.stop()
    return 'the server started'
  } catch (error) {
    return (error as Error).message
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

test('the command says so, in one line, and ends with a code that means it', async () => {
  const missing = await serve('s3://nobody-has-this/twin')
  expect(missing).toMatch(
    /\(4\):\n[^\n]*s3:\/\/nobody-has-this\/twin: listing: there is no bucket nobody-has-this[^\n]*\n*$/,
  )
  const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', HOME: dir }
  expect(await serve(`s3://${bucket}`, none)).toMatch(/\(4\):\n.*no credentials were found; set AWS_ACCESS_KEY_ID/)
  expect(await serve('s3://AKIA:hush@bucket')).toMatch(/keys and hosts do not belong there/)
})

test('requests and copies are counted', async () => {
  const cacheDir = join(dir, 'counted')
  const objects = await openTestObjects({ endpoint: server.endpoint, bucket, prefix: 'counted/', cacheDir })
  const before = objects.numbers()
  expect(Object.fromEntries(before.requests)).toEqual({
    ListObjectsV2: 1,
    PutObject: 2,
    GetObject: 1,
    DeleteObject: 1,
    ListMultipartUploads: 1,
  })
  await objects.put('a', Buffer.from('12345'))
  for (let count = 0; count < 3; count++) await (await objects.borrow('a')).release()
  const { requests, retries, cache } = objects.numbers()
  expect([requests.get('GetObject'), retries, cache]).toEqual([
    2,
    0,
    { lent: 3, fetched: 1, fetchedBytes: 5, bytes: 5 },
  ])
  await objects.close()
})

test('a clock that is hours off is named, and not quietly made up for', async () => {
  const ahead =
    'Date.now = ((now) => () => now() + 5 * 3600e3)(Date.now); globalThis.Date = class extends Date { constructor(...a) { a.length ? super(...a) : super(Date.now()) } }'
  const shifted = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(ahead)}` }
  expect(await serve(`s3://${bucket}`, shifted)).toMatch(
    /\(4\):\n.*the clock of this machine is too far off the store's.*NTP/,
  )
  expect(await serve(`s3://${bucket}`)).toBe('the server started')
})
