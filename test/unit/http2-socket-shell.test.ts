/** Writes of a connection: when they are made, how large they are, and whose buffers are free afterwards. */
import { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Http2Connection } from '../../src/http2/connection.ts'
import { FrameReader } from '../../src/http2/frame-reader.ts'
import { FLAG, FRAME, PREFACE, SETTING } from '../../src/http2/protocol.ts'
import { type SocketShell, serveSocket } from '../../src/http2/socket-shell.ts'
import { frame, HEAD, REQUEST, TRAILERS } from '../support/http2-frames.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

const PREFIX = Buffer.alloc(5)
/** An answer fills most of the output. */
const LIMITS = { ...HTTP2_LIMITS, outputBytesMax: 128 * 1024 }
const ANSWER_BYTES = 100_000
const ANSWERS = 8
const LARGE = { answers: ANSWERS, bytes: ANSWER_BYTES }
/** Five times as many bytes as the output may hold. */
const SMALL = { answers: 40, bytes: 16_000 }
const FRAME_BYTES = 16_384

/** Windows that nothing here exceeds. */
const WINDOW = Buffer.from([0x3f, 0xff, 0, 0])
const STREAM_WINDOWS = Buffer.concat([Buffer.from([0, SETTING.initialWindowSize]), WINDOW])
const request = (stream: number): Buffer => frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, REQUEST)

/** A peer's end: what is written to it is taken at once, or only when `release` is called. */
class Peer extends Duplex {
  readonly got: Buffer[] = []
  readonly writes: number[] = []
  #held: (() => void) | undefined
  readonly #takesAtOnce: boolean

  constructor(takesAtOnce: boolean) {
    super()
    this.#takesAtOnce = takesAtOnce
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#hold([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#hold(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  /** Takes what is held; false if there is nothing. */
  release(): boolean {
    const held = this.#held
    this.#held = undefined
    held?.()
    return held !== undefined
  }

  #hold(chunks: readonly Buffer[], done: () => void): void {
    this.writes.push(chunks.reduce((sum, { length }) => sum + length, 0))
    // A socket reads the buffers that it was given, not copies, when it sends them.
    this.#held = () => {
      this.got.push(...chunks.map((chunk) => Buffer.from(chunk)))
      done()
    }
    if (this.#takesAtOnce) this.release()
  }
}

interface Asked {
  readonly shell: SocketShell
  readonly buffers: ReadonlySet<Buffer>
  /** Until the first turn of the event loop was over. */
  readonly writesOfTurn: readonly number[]
}

/** Nothing is done for them, and with them a read is as large as reads are. */
const UNKNOWN_FRAMES = Array.from({ length: 4 }, () => frame(0xbb, 0, 0, Buffer.alloc(FRAME_BYTES)))

const noTimePasses = (): number => 0

/** Asks for all answers in as many reads; each answer is written into the output, or into a buffer of the pool. */
async function ask(peer: Peer, reads = 1, now = noTimePasses, { answers, bytes } = LARGE): Promise<Asked> {
  const shared = sharedMemory()
  const buffers = new Set<Buffer>()
  const connection = new Http2Connection(
    LIMITS,
    {
      opened(stream) {
        const { sender } = connection
        const room = sender.replyRoom(stream, HEAD, PREFIX.length, bytes)
        const buffer = room === undefined ? shared.pool.take(bytes) : undefined
        if (buffer !== undefined) buffers.add(buffer)
        const message = (room ?? buffer!).subarray(0, bytes).fill(stream.id)
        sender.reply(stream, HEAD, PREFIX, message, TRAILERS, buffer)
        connection.workEnded(stream)
      },
      data: () => undefined,
      ended: () => undefined,
      aborted: () => undefined,
      received: () => undefined,
      drained: () => undefined,
    },
    shared,
    0,
  )
  const shell = serveSocket(peer, connection, { now, turnMsMax: LIMITS.turnMsMax, onClosed: () => undefined })
  const greeting = [PREFACE, frame(FRAME.settings, 0, 0, STREAM_WINDOWS), frame(FRAME.windowUpdate, 0, 0, WINDOW)]
  const requests = Array.from({ length: answers }, (_, index) => request(2 * index + 1))
  for (let read = 0; read < reads; read++) {
    const some = requests.splice(0, answers / reads)
    peer.push(Buffer.concat([...(read === 0 ? greeting : []), ...some, ...UNKNOWN_FRAMES]))
  }
  await setImmediate()
  return { shell, buffers, writesOfTurn: [...peer.writes] }
}

/** Every answer whole, by stream, and where its last frame stands. */
function expectAnswers(peer: Peer, expected = LARGE): void {
  const answers = new Map<number, Buffer[]>()
  const ended: number[] = []
  const reader = new FrameReader(1 << 24, {
    frame(type, flags, stream, bytes, from, to) {
      if (type === FRAME.data)
        answers.set(stream, [...(answers.get(stream) ?? []), Buffer.from(bytes.subarray(from, to))])
      if (stream > 0 && (flags & FLAG.endStream) !== 0) ended.push(stream)
    },
  })
  for (const bytes of peer.got) reader.receive(bytes, 0)
  expect(ended).toHaveLength(expected.answers)
  for (const stream of ended) {
    const body = Buffer.concat([PREFIX, Buffer.alloc(expected.bytes, stream)])
    expect(Buffer.concat(answers.get(stream)!).equals(body)).toBe(true)
  }
}

test('a peer that takes everything at once gets an answer when it is made, and all are made in one buffer', async () => {
  const peer = new Peer(true)
  const { buffers, writesOfTurn } = await ask(peer)
  // The greeting, and each answer by itself.
  expect(writesOfTurn).toHaveLength(1 + ANSWERS)
  expect(buffers.size).toBe(1)
  expectAnswers(peer)
})

test('small answers beyond what the output may hold are written where they are sent from, and leave in large writes', async () => {
  const peer = new Peer(true)
  const { buffers, writesOfTurn } = await ask(peer, 1, noTimePasses, SMALL)
  expect(buffers.size).toBe(0)
  const [, ...ofAnswers] = writesOfTurn
  for (const bytes of ofAnswers.slice(0, -1)) expect(bytes).toBeGreaterThan(LIMITS.outputBytesMax / 2)
  for (const bytes of ofAnswers) expect(bytes).toBeLessThanOrEqual(LIMITS.outputBytesMax)
  expectAnswers(peer, SMALL)
})

test('for a peer that takes nothing little leaves the streams, and no buffer is used again before it has left', async () => {
  const peer = new Peer(false)
  const { buffers } = await ask(peer)
  expect(buffers.size).toBe(ANSWERS)
  while (peer.release()) await setImmediate()
  for (const bytes of peer.writes) expect(bytes).toBeLessThan(LIMITS.outputBytesMax + 2 * FRAME_BYTES)
  expectAnswers(peer)
})

test.each([1, ANSWERS])('a connection with much to do lets others have a turn, of %i reads', async (reads) => {
  let nowMs = 0
  const peer = new Peer(true)
  const { writesOfTurn } = await ask(peer, reads, () => nowMs++)
  const isWhole = () => peer.got.reduce((sum, { length }) => sum + length, 0) > ANSWERS * ANSWER_BYTES
  expect(writesOfTurn.length).toBeLessThan(ANSWERS)
  let turns = 0
  for (; !isWhole() && turns < 100; turns++) await setImmediate()
  expect(turns).toBeGreaterThan(1)
  expectAnswers(peer)
})

test('one that broke a rule and does not read is given a second, and not as long as who only does not read', async () => {
  let nowMs = 0
  const peer = new Peer(false)
  const { shell } = await ask(peer, 1, () => nowMs)
  peer.push(frame(FRAME.pushPromise, 0, 1))
  await setImmediate()
  expect(shell.connection.fault?.reason).toBe('PROTOCOL_ERROR')
  shell.tick()
  expect(peer.destroyed).toBe(false)
  nowMs += 1001
  shell.tick()
  expect(peer.destroyed).toBe(true)
})

test('what a connection holds is counted as it comes and goes, and is nothing when it is gone', async () => {
  const peer = new Peer(false)
  const { connection } = (await ask(peer)).shell
  const { all } = connection.share
  expect(all.bytes).toBeGreaterThan(ANSWERS * ANSWER_BYTES * 0.9)
  while (peer.release()) await setImmediate()
  expect(all.bytes).toBe(0)
  const other = new Peer(false)
  const gone = (await ask(other)).shell
  expect(gone.connection.share.all.bytes).toBeGreaterThan(0)
  other.destroy()
  await setImmediate()
  expect(gone.connection.share.all.bytes).toBe(0)
})
