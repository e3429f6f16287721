/** A server that is attacked, the peers that do it, and an honest client on a connection of its own. */
import { Client, credentials } from '@grpc/grpc-js'
import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import { expect } from 'vitest'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME } from '../../src/http2/protocol.ts'
import { callFrames, HostilePeer } from '../support/hostile-peer.ts'
import { frame } from '../support/http2-frames.ts'
import { type InteropServer, startInteropServer } from '../support/interop/interop-server.mjs'
import { unary } from './grpc-fixture.ts'

const SERVICE = '/grpc.testing.TestService'
export const EMPTY_CALL = `${SERVICE}/EmptyCall`
export const UNARY_CALL = `${SERVICE}/UnaryCall`
/** A call of it is under way until its client ends it. */
export const STREAM_CALL = `${SERVICE}/FullDuplexCall`
export const MIB = 2 ** 20

export interface Attacked {
  readonly server: InteropServer
  readonly honest: Client
  /** A peer that has said nothing, and one whose preface and SETTINGS have been. */
  connected(port?: number): Promise<HostilePeer>
  greeted(...settings: number[]): Promise<HostilePeer>
  /** The honest client calls, one call after the other, for as long as the attack takes; not one of its calls may fail. */
  whileServed<T>(attack: () => Promise<T>, call?: HonestCall): Promise<T>
  /** Whether a client that comes now is. */
  isServed(): Promise<boolean>
  leaveAll(): void
  close(): void
}

export interface HonestCall {
  readonly path: string
  readonly message: Buffer
}

const SMALL_CALL: HonestCall = { path: EMPTY_CALL, message: Buffer.alloc(0) }
const HONEST_MS = 5000

export async function openAttacked(options: Parameters<typeof startInteropServer>[1]): Promise<Attacked> {
  const server = await startInteropServer(0, options)
  const honest = clientOf(server.port)
  await unary(honest, EMPTY_CALL, Buffer.alloc(0))
  const peers: HostilePeer[] = []
  const leaveAll = (): void => {
    for (const peer of peers.splice(0)) peer.leave()
  }
  return {
    server,
    honest,
    leaveAll,
    async connected(port = server.port) {
      const peer = await HostilePeer.connect(port)
      peers.push(peer)
      return peer
    },
    async greeted(...settings) {
      const peer = await HostilePeer.greet(server.port, ...settings)
      peers.push(peer)
      return peer
    },
    async whileServed(attack, { path, message } = SMALL_CALL) {
      let isOver = false
      const calls = (async () => {
        do {
          await unary(honest, path, message, HONEST_MS)
          await new Promise(setImmediate)
        } while (!isOver)
        return unary(honest, path, message, HONEST_MS)
      })()
      const attacked = attack().finally(() => {
        isOver = true
      })
      await Promise.all([attacked, calls])
      return attacked
    },
    async isServed() {
      const client = clientOf(server.port)
      try {
        await unary(client, EMPTY_CALL, Buffer.alloc(0), HONEST_MS)
        return true
      } catch {
        return false
      } finally {
        client.close()
      }
    },
    close() {
      leaveAll()
      honest.close()
      server.close()
    },
  }
}

function clientOf(port: number): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
}

/** How much more there is of what buffers and objects take, at the most of many looks, than before. */
export function memoryWatch(): { most(): number } {
  const taken = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
  const before = taken()
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, taken() - before)
  }, 10)
  return {
    most() {
      clearInterval(timer)
      return Math.max(most, taken() - before)
    },
  }
}

export const headers = (stream: number, block: Buffer, flags: number = FLAG.endHeaders): Buffer =>
  frame(FRAME.headers, flags, stream, block)
export const times = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))
export const streamOf = (index: number): number => 2 * index + 1

export function requestOf(method: string, fields: object): Buffer {
  const definition = loadSync(new URL('../support/interop/interop.proto', import.meta.url).pathname)
  const service = definition['grpc.testing.TestService'] as unknown as Record<string, MethodDefinition<object, object>>
  return service[method]!.requestSerialize(fields)
}

const OK = encodeHeaders(['grpc-status', '0'])
const RESOURCE_EXHAUSTED = encodeHeaders(['grpc-status', '8'])

/** A call on the stream is answered. */
export async function expectAnswer(peer: HostilePeer, stream: number): Promise<void> {
  peer.say(callFrames(stream, EMPTY_CALL))
  const isEnd = (each: { type: number; stream: number; flags: number }) =>
    each.type === FRAME.headers && each.stream === stream && (each.flags & FLAG.endStream) !== 0
  const trailers = await peer.until(isEnd)
  expect(trailers?.payload.includes(OK)).toBe(true)
}

/** The call is refused by its status; the connection goes on. */
export async function expectRefused(peer: HostilePeer, stream: number): Promise<void> {
  const refused = await peer.until((each) => each.type === FRAME.headers && each.stream === stream)
  expect(refused?.payload.includes(RESOURCE_EXHAUSTED)).toBe(true)
}
