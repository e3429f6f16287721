/**
 * gRPC's interoperability test service as methods of the lean transport.
 *
 * What each method has to do: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md.
 */
import { fileURLToPath } from 'node:url'
import { loadSync } from '@grpc/proto-loader'

const PROTO = fileURLToPath(new URL('interop.proto', import.meta.url))
const SERVICE = loadSync(PROTO, { keepCase: false, defaults: true, oneofs: true })['grpc.testing.TestService']
const ECHO_INITIAL = 'x-grpc-test-echo-initial'
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin'

/** What a method throws to end its call with a status. */
export class InteropStatus extends Error {
  constructor({ code, message }) {
    super(message)
    this.code = code
  }
}

/** Methods by path. */
export function interopMethods() {
  const implementations = {
    EmptyCall: ['unary', () => ({})],
    UnaryCall: ['unary', unaryCall],
    StreamingOutputCall: ['serverStream', outputs],
    StreamingInputCall: ['clientStream', inputs],
    FullDuplexCall: ['bidi', duplex],
    HalfDuplexCall: ['bidi', duplex],
  }
  return new Map(
    Object.entries(implementations).map(([name, [kind, handle]]) => {
      const { path, requestDeserialize: decode, responseSerialize: encode } = SERVICE[name]
      return [path, { kind, handle: inBytes(kind, handle, decode, encode) }]
    }),
  )
}

function inBytes(kind, handle, decode, encode) {
  const echoing = (request, call) => {
    echoMetadata(call)
    return handle(request, call)
  }
  switch (kind) {
    case 'unary':
      return (request, call) => encode(echoing(decode(request), call))
    case 'serverStream':
      return (request, call) => each(echoing(decode(request), call), encode)
    case 'clientStream':
      return async (requests, call) => encode(await echoing(each(requests, decode), call))
    default:
      return (requests, call) => each(echoing(each(requests, decode), call), encode)
  }
}

async function* each(items, convert) {
  for await (const item of items) yield convert(item)
}

function echoMetadata(call) {
  const initial = call.metadata.get(ECHO_INITIAL)
  if (initial !== undefined) call.answerMetadata = new Map([[ECHO_INITIAL, initial]])
  const trailing = call.metadata.get(ECHO_TRAILING)
  if (trailing !== undefined) call.answerTrailers = new Map([[ECHO_TRAILING, trailing]])
}

function unaryCall({ responseSize, responseStatus, responseCompressed, expectCompressed, payload }, call) {
  refuseIfAsked(responseStatus)
  if (expectCompressed !== null && expectCompressed.value !== call.lastMessageWasCompressed) {
    throw new InteropStatus({ code: 3, message: `the message was ${expectCompressed.value ? 'not ' : ''}compressed` })
  }
  call.compressesAnswers = responseCompressed?.value === true
  return { payload: { type: payload?.type ?? 0, body: Buffer.alloc(responseSize) } }
}

async function* outputs({ responseParameters, responseStatus, payload }, call) {
  for (const { size, intervalUs } of responseParameters) {
    if (intervalUs > 0) await passed(intervalUs / 1000, call.signal)
    yield { payload: { type: payload?.type ?? 0, body: Buffer.alloc(size) } }
  }
  refuseIfAsked(responseStatus)
}

async function inputs(requests) {
  let size = 0
  for await (const { payload } of requests) size += payload.body.length
  return { aggregatedPayloadSize: size }
}

async function* duplex(requests, call) {
  for await (const request of requests) yield* outputs(request, call)
}

function refuseIfAsked(status) {
  if (status !== null && status.code !== 0) throw new InteropStatus(status)
}

function passed(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
