/** The other end of an HTTP/2 connection that says whatever a test wants it to, and keeps what it hears frame by frame. */
import { connect, type Socket } from 'node:net'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME, PREFACE } from '../../src/http2/protocol.ts'
import { frame, uint32 } from './http2-frames.ts'

const HEAD_BYTES = 9

export interface HeardFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** `settings` is id, value, id, value. */
export function settingsFrame(...settings: number[]): Buffer {
  const payload = Buffer.alloc(settings.length * 3)
  for (let index = 0; index < settings.length; index += 2) {
    payload.writeUInt16BE(settings[index]!, index * 3)
    payload.writeUInt32BE(settings[index + 1]!, index * 3 + 2)
  }
  return frame(FRAME.settings, 0, 0, payload)
}

/** The header block of a call; `more` is name, value, name, value. */
export function callBlock(path: string, ...more: string[]): Buffer {
  const head = [':method', 'POST', ':scheme', 'http', ':path', path, 'content-type', 'application/grpc']
  return encodeHeaders([...head, 'te', 'trailers', ...more])
}

/** A message behind its prefix. */
export function messageOf(bytes: Uint8Array, isCompressed = false): Buffer {
  return Buffer.concat([Buffer.from([isCompressed ? 1 : 0]), uint32(bytes.length), bytes])
}

/** A call with its one message, which may be empty. */
export function callFrames(stream: number, path: string, message: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([
    frame(FRAME.headers, FLAG.endHeaders, stream, callBlock(path)),
    frame(FRAME.data, FLAG.endStream, stream, messageOf(message)),
  ])
}

export class HostilePeer {
  /** All that was heard, from the first frame. */
  readonly heard: HeardFrame[] = []
  readonly socket: Socket
  /** It acknowledges what the server pings, as anything does that is alive. */
  answersPings = true
  isClosed = false
  #rest: Buffer = Buffer.alloc(0)
  #wake = (): void => undefined

  private constructor(socket: Socket) {
    this.socket = socket
    // Being reset is what it asks for.
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.once('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** A connection on which nothing has been said. */
  static async connect(port: number): Promise<HostilePeer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const peer = new HostilePeer(socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    return peer
  }

  /** One on which preface and SETTINGS have been. */
  static async greet(port: number, ...settings: number[]): Promise<HostilePeer> {
    const peer = await HostilePeer.connect(port)
    peer.say(PREFACE, settingsFrame(...settings))
    return peer
  }

  say(...bytes: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes))
  }

  /** The first frame of the kind, when it has come; undefined if the connection is closed without it. */
  async until(isIt: (frame: HeardFrame) => boolean): Promise<HeardFrame | undefined> {
    for (;;) {
      const found = this.heard.find(isIt)
      if (found !== undefined || this.isClosed) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The code of the GOAWAY that ends the connection, and its words. */
  async goaway(): Promise<{ code: number; words: string } | undefined> {
    const payload = (await this.until(({ type }) => type === FRAME.goaway))?.payload
    return payload && { code: payload.readUInt32BE(4), words: payload.toString('utf8', 8) }
  }

  /** The code with which the stream is reset. */
  async reset(stream: number): Promise<number | undefined> {
    const reset = await this.until((each) => each.type === FRAME.rstStream && each.stream === stream)
    return reset?.payload.readUInt32BE()
  }

  async closed(): Promise<void> {
    await this.until(() => false)
  }

  leave(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < end) break
      const [type, flags, stream] = [this.#rest[3]!, this.#rest[4]!, this.#rest.readUInt32BE(5)]
      const payload = this.#rest.subarray(HEAD_BYTES, end)
      this.heard.push({ type, flags, stream, payload })
      this.#rest = this.#rest.subarray(end)
      if (type === FRAME.ping && (flags & FLAG.ack) === 0 && this.answersPings) {
        this.say(frame(FRAME.ping, FLAG.ack, 0, payload))
      }
    }
    this.#wake()
  }
}
