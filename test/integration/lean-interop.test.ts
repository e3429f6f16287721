/**
 * The cases of gRPC's interoperability suite against the lean transport, asked by grpc-js: what each case is, is told in
 * https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md.
 */
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  compressionAlgorithms,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CertificateFolder } from '../support/certificates.ts'
import { type InteropServer, startInteropServer } from '../support/interop/interop-server.mjs'

const PROTO = new URL('../support/interop/interop.proto', import.meta.url).pathname
const PACKAGE = loadSync(PROTO, { keepCase: false, defaults: true, oneofs: true })
const LARGE_REQUEST = 271_828
const LARGE_ANSWER = 314_159
const ECHO_INITIAL = 'x-grpc-test-echo-initial'
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin'

// biome-ignore lint/suspicious/noExplicitAny: grpc-js makes clients of a loaded proto file without types
type Client = any

let server: InteropServer
let client: Client

function clientOf(
  port: number,
  channel: ChannelCredentials = credentials.createInsecure(),
  options: object = {},
): Client {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const { TestService } = (loadPackageDefinition(PACKAGE) as any).grpc.testing
  return new TestService(`localhost:${port}`, channel, { 'grpc.use_local_subchannel_pool': 1, ...options })
}

beforeAll(async () => {
  server = await startInteropServer()
  client = clientOf(server.port)
})

afterAll(() => {
  client.close()
  server.close()
})

const bytes = (length: number) => ({ body: Buffer.alloc(length) })

function unary(method: string, request: object, of: Client = client, metadata = new Metadata()): Promise<Client> {
  return new Promise((resolve, reject) => {
    of[method](request, metadata, (error: ServiceError | null, answer: unknown) =>
      error ? reject(error) : resolve(answer),
    )
  })
}

/** What a stream brought, and how it ended. */
async function collected(call: NodeJS.ReadableStream): Promise<{ sizes: number[]; error: ServiceError | undefined }> {
  const sizes: number[] = []
  return await new Promise((resolve) => {
    call.on('data', ({ payload }: { payload: { body: Buffer } }) => sizes.push(payload.body.length))
    call.on('error', (error) => resolve({ sizes, error: error as ServiceError }))
    call.on('end', () => resolve({ sizes, error: undefined }))
  })
}

const SIZES = [31_415, 9, 2653, 58_979]
const ASKED = SIZES.map((size) => ({ size }))

test('empty_unary', async () => {
  expect(await unary('emptyCall', {})).toEqual({})
})

test('large_unary', async () => {
  const { payload } = await unary('unaryCall', { responseSize: LARGE_ANSWER, payload: bytes(LARGE_REQUEST) })
  expect(payload.body.length).toBe(LARGE_ANSWER)
})

test('client_streaming', async () => {
  const answer = await new Promise<Client>((resolve, reject) => {
    const call = client.streamingInputCall((error: ServiceError | null, got: unknown) =>
      error ? reject(error) : resolve(got),
    )
    for (const size of [27_182, 8, 1828, 45_904]) call.write({ payload: bytes(size) })
    call.end()
  })
  expect(answer).toEqual({ aggregatedPayloadSize: 74_922 })
})

test('server_streaming', async () => {
  expect(await collected(client.streamingOutputCall({ responseParameters: ASKED }))).toEqual({
    sizes: SIZES,
    error: undefined,
  })
})

test('ping_pong', async () => {
  const call: ClientDuplexStream<object, { payload: { body: Buffer } }> = client.fullDuplexCall()
  const sizes: number[] = []
  for (const [turn, size] of SIZES.entries()) {
    call.write({ responseParameters: [{ size }], payload: bytes([27_182, 8, 1828, 45_904][turn]!) })
    sizes.push(await new Promise((resolve) => call.once('data', ({ payload }) => resolve(payload.body.length))))
  }
  call.end()
  await new Promise((resolve) => call.on('data', () => undefined).once('end', resolve))
  expect(sizes).toEqual(SIZES)
})

test('empty_stream', async () => {
  const call = client.fullDuplexCall()
  call.end()
  expect(await collected(call)).toEqual({ sizes: [], error: undefined })
})

test('cancel_after_begin', async () => {
  const error = await new Promise<ServiceError>((resolve) => {
    const call = client.streamingInputCall((failure: ServiceError) => resolve(failure))
    call.cancel()
  })
  expect(error.code).toBe(status.CANCELLED)
})

test('cancel_after_first_response: the server ends its work too', async () => {
  const before = server.ended.length
  const call = client.fullDuplexCall()
  call.write({ responseParameters: [{ size: 31_415 }], payload: bytes(27_182) })
  call.once('data', () => call.cancel())
  expect((await collected(call)).error?.code).toBe(status.CANCELLED)
  await expect.poll(() => server.ended.slice(before).map(({ code }) => code)).toContain(status.CANCELLED)
})

test('timeout_on_sleeping_server', async () => {
  const call = client.fullDuplexCall({ deadline: Date.now() + 20 })
  call.write({ responseParameters: [{ size: 1, intervalUs: 60_000_000 }], payload: bytes(27_182) })
  expect((await collected(call)).error?.code).toBe(status.DEADLINE_EXCEEDED)
})

test('custom_metadata, with a unary call and with a stream', async () => {
  const metadata = new Metadata()
  metadata.set(ECHO_INITIAL, 'test_initial_metadata_value')
  metadata.set(ECHO_TRAILING, Buffer.from('ababab', 'hex'))
  const calls = [
    client.unaryCall({ responseSize: 1, payload: bytes(1) }, metadata, () => undefined),
    client.fullDuplexCall(metadata),
  ]
  calls[1].write({ responseParameters: [{ size: 1 }] })
  calls[1].on('data', () => undefined)
  calls[1].end()
  for (const call of calls) {
    const [initial, ended] = await Promise.all([
      new Promise<Metadata>((resolve) => call.once('metadata', resolve)),
      new Promise<{ metadata: Metadata }>((resolve) => call.once('status', resolve)),
    ])
    expect(initial.get(ECHO_INITIAL)).toEqual(['test_initial_metadata_value'])
    expect(ended.metadata.get(ECHO_TRAILING)).toEqual([Buffer.from('ababab', 'hex')])
  }
})

test('status_code_and_message', async () => {
  const responseStatus = { code: 2, message: 'test status message' }
  await expect(unary('unaryCall', { responseStatus })).rejects.toMatchObject({
    code: 2,
    details: 'test status message',
  })
  const call = client.fullDuplexCall()
  call.write({ responseStatus })
  call.end()
  expect((await collected(call)).error).toMatchObject({ code: 2, details: 'test status message' })
})

test('special_status_message', async () => {
  const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n 100 %'
  await expect(unary('unaryCall', { responseStatus: { code: 2, message } })).rejects.toMatchObject({
    code: 2,
    details: message,
  })
})

test('unimplemented_method and unimplemented_service', async () => {
  const ask = (path: string) =>
    new Promise<ServiceError>((resolve) => {
      const pass = (value: Buffer): Buffer => value
      client.makeUnaryRequest(path, pass, pass, Buffer.alloc(0), (error: ServiceError) => resolve(error))
    })
  expect(await ask('/grpc.testing.TestService/UnimplementedCall')).toMatchObject({
    code: status.UNIMPLEMENTED,
    details: expect.stringContaining('/grpc.testing.TestService/UnimplementedCall'),
  })
  expect((await ask('/grpc.testing.UnimplementedService/UnimplementedCall')).code).toBe(status.UNIMPLEMENTED)
})

describe('compression', () => {
  test('client_compressed_unary: messages in gzip and deflate are read, and known to have been compressed', async () => {
    for (const algorithm of [compressionAlgorithms.gzip, compressionAlgorithms.deflate]) {
      const compressing = clientOf(server.port, credentials.createInsecure(), {
        'grpc.default_compression_algorithm': algorithm,
      })
      const request = { expectCompressed: { value: true }, responseSize: LARGE_ANSWER, payload: bytes(LARGE_REQUEST) }
      expect((await unary('unaryCall', request, compressing)).payload.body.length).toBe(LARGE_ANSWER)
      await expect(
        unary('unaryCall', { ...request, expectCompressed: { value: false } }, compressing),
      ).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
      })
      compressing.close()
    }
  })

  test('server_compressed_unary: an answer is compressed when it is asked for and the client can read it', async () => {
    const request = { responseSize: LARGE_ANSWER, responseCompressed: { value: true }, payload: bytes(10) }
    expect((await unary('unaryCall', request)).payload.body.length).toBe(LARGE_ANSWER)
    expect(await firstAnswerByte({ 'grpc-accept-encoding': 'identity,gzip' })).toEqual({ flag: 1, encoding: 'gzip' })
    expect(await firstAnswerByte({})).toEqual({ flag: 0, encoding: undefined })
  })

  test('a message that unpacks to more than is allowed is refused, and so is what is no gzip', async () => {
    const compressing = clientOf(server.port, credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 })
    await expect(unary('unaryCall', { payload: bytes(5 * 2 ** 20) }, compressing)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('grpc-message-bytes-max'),
    })
    compressing.close()
    expect(await firstAnswerByte({ 'grpc-encoding': 'gzip' }, Buffer.from('01000000026161', 'hex'))).toMatchObject({
      status: '13',
    })
  })

  /** With Node's own HTTP/2, to see the bytes. */
  async function firstAnswerByte(headers: object, body = compressedCall()): Promise<object> {
    const session = connectHttp2(`http://localhost:${server.port}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.testing.TestService/UnaryCall',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    stream.end(body)
    let flag: number | undefined
    let encoding: string | undefined
    let code: string | undefined
    stream.on('response', (got) => {
      encoding = got['grpc-encoding'] as string | undefined
      code = got['grpc-status'] as string | undefined
    })
    stream.on('data', (chunk: Buffer) => {
      flag ??= chunk[0]
    })
    await new Promise((resolve) => stream.once('close', resolve))
    session.close()
    return code === undefined ? { flag, encoding } : { status: code }
  }

  /** `SimpleRequest { response_size: 1000, response_compressed { value: true } }` behind its prefix. */
  function compressedCall(): Buffer {
    return Buffer.from('000000000710e80732020801', 'hex')
  }
})

describe('TLS', () => {
  const folder = new CertificateFolder()
  folder.issue('server')
  folder.issue('client')
  const identity = { cert: folder.bytes('server.pem'), key: folder.bytes('server.key') }

  afterAll(() => folder.remove())

  test('a call over TLS with certificates on both sides, and none without', async () => {
    const secure = await startInteropServer(0, {
      tls: { ...identity, ca: folder.bytes('ca.pem'), requestCert: true, rejectUnauthorized: true },
    })
    const both = credentials.createSsl(folder.bytes('ca.pem'), folder.bytes('client.key'), folder.bytes('client.pem'))
    const trusted = clientOf(secure.port, both)
    const { payload } = await unary('unaryCall', { responseSize: LARGE_ANSWER, payload: bytes(LARGE_REQUEST) }, trusted)
    expect(payload.body.length).toBe(LARGE_ANSWER)
    trusted.close()
    const unknown = clientOf(secure.port, credentials.createSsl(folder.bytes('ca.pem')))
    await expect(unary('emptyCall', {}, unknown)).rejects.toMatchObject({ code: status.UNAVAILABLE })
    unknown.close()
    secure.close()
  })

  test('a connection that another process accepted is no less encrypted', async () => {
    const secure = await startInteropServer(0, { tls: identity })
    const other = createServer((socket) => secure.accept(socket))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const trusting = clientOf(port, credentials.createSsl(folder.bytes('ca.pem')))
    expect(await unary('emptyCall', {}, trusting)).toEqual({})
    trusting.close()
    const plain = clientOf(port)
    await expect(unary('emptyCall', {}, plain)).rejects.toMatchObject({ code: status.UNAVAILABLE })
    plain.close()
    other.close()
    secure.close()
  })
})

test('a drain lets a call under way finish, and takes no new one', async () => {
  const draining = await startInteropServer()
  const drained = clientOf(draining.port)
  const call = drained.fullDuplexCall()
  call.write({ responseParameters: [{ size: 10 }] })
  await new Promise((resolve) => call.once('data', resolve))
  const whole = draining.drain(10_000)
  // One that was sent before the client had heard of it is served.
  const codeOf = (): Promise<number> =>
    unary('emptyCall', {}, drained).then(
      () => 0,
      (error: ServiceError) => error.code,
    )
  await expect.poll(codeOf).toBe(status.UNAVAILABLE)
  call.write({ responseParameters: [{ size: 20 }] })
  const { payload } = await new Promise<Client>((resolve) => call.once('data', resolve))
  expect(payload.body.length).toBe(20)
  call.end()
  call.on('data', () => undefined)
  expect(await whole).toBe(true)
  drained.close()
})

test('a reader that stops costs the server a bounded amount, and its connection goes on serving', async () => {
  const call = client.streamingOutputCall({
    responseParameters: Array.from({ length: 300 }, () => ({ size: 1_000_000 })),
  })
  call.pause()
  const before = process.memoryUsage().arrayBuffers
  for (let turn = 0; turn < 50; turn++) expect(await unary('emptyCall', {})).toEqual({})
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20)
  call.cancel()
  await collected(call)
})
