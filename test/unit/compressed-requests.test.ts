/** Requests that have to be decompressed, as the client sees what it may send meanwhile. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { GrpcConnection } from '../../src/grpc/grpc-connection.ts'
import { IncomingBudget } from '../../src/grpc/incoming-budget.ts'
import type { MessageStream, Method } from '../../src/grpc/method.ts'
import { FLAG, FRAME, PREFACE } from '../../src/http2/protocol.ts'
import { createSlots, type Slots } from '../../src/lib/slots.ts'
import { callBlock, messageOf, settingsFrame } from '../support/hostile-peer.ts'
import { frame } from '../support/http2-frames.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

const PATH = '/a.B/Push'
const MESSAGE = Buffer.alloc(100_000, 1)
const ZIPPED = messageOf(gzipSync(MESSAGE), true)

function bench(turns: Slots) {
  const got: Buffer[] = []
  let isEnded = false
  const push: Method = {
    kind: 'push',
    handle(stream: MessageStream) {
      stream.onMessage = (message) => got.push(message)
      stream.onEnd = () => {
        isEnded = true
      }
      stream.resume()
      return new Promise(() => undefined)
    },
  }
  const grpc = new GrpcConnection(
    {
      methods: new Map([[PATH, push]]),
      limits: { ...HTTP2_LIMITS, streamWindowBytes: 65_535 },
      shared: sharedMemory(),
      calls: {
        messageBytesMax: 1 << 20,
        incomingBytesMax: 1 << 22,
        incoming: new IncomingBudget(1 << 26),
        turns,
        nowMs: () => 0,
        after: () => ({ cancel: () => undefined }),
        answerMarginMs: () => 0,
        statusOf: (error) => ({ code: 13, details: String(error) }),
        abortReason: (kind) => new Error(kind),
        onEnded: () => undefined,
      },
    },
    0,
  )
  const { connection } = grpc
  connection.receive(Buffer.concat([PREFACE, settingsFrame()]), 0)
  connection.receive(frame(FRAME.headers, FLAG.endHeaders, 1, callBlock(PATH, 'grpc-encoding', 'gzip')), 0)
  connection.output.take()
  return {
    got,
    isEnded: () => isEnded,
    send: (message: Buffer, flags = 0) => connection.receive(frame(FRAME.data, flags, 1, message), 0),
    /** How often the stream's window was opened. */
    opened() {
      const bytes = Buffer.concat(connection.output.take())
      return bytes.toString('latin1').split('\x00\x00\x04\x08\x00\x00\x00\x00\x01').length - 1
    },
  }
}

test('what waits to be decompressed is not to be sent anew: no more of it comes than the window has room for', () => {
  const never = bench({ run: () => new Promise(() => undefined) })
  // Of 64 KiB.
  for (let bytes = 0; bytes < 60_000; bytes += ZIPPED.length) never.send(ZIPPED)
  expect(never.opened()).toBe(0)
  const plain = bench(createSlots(1))
  for (let bytes = 0; bytes < 60_000; bytes += ZIPPED.length) plain.send(messageOf(Buffer.alloc(ZIPPED.length - 5)))
  expect(plain.opened()).toBeGreaterThan(0)
})

test('it is, when it has been decompressed, and messages are in their order', async () => {
  const { got, opened, send, isEnded } = bench(createSlots(4))
  for (let bytes = 0; bytes < 60_000; bytes += ZIPPED.length) send(ZIPPED)
  const last = Buffer.from('plain')
  send(messageOf(last), FLAG.endStream)
  await expect.poll(isEnded).toBe(true)
  expect(got.at(-1)).toEqual(last)
  expect(got.slice(0, -1).every((message) => message.equals(MESSAGE))).toBe(true)
  expect(opened()).toBe(0)
})

test('the window opens again for a stream that goes on', async () => {
  const { opened, send, got } = bench(createSlots(4))
  let sent = 0
  for (let bytes = 0; bytes < 60_000; bytes += ZIPPED.length) {
    send(ZIPPED)
    sent++
  }
  await expect.poll(() => got.length).toBe(sent)
  await new Promise(setImmediate)
  expect(opened()).toBe(1)
})
