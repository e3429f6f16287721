/** A real server with small limits over the fixture of every type, and requests to send to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { type Fields, type Method, type RawClient, type Refusal, rawClient } from '../support/raw-client.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { TRANSPORT } from '../support/transport.ts'

export const EVERY_TYPE = new URL('../fixtures/every-type', import.meta.url).pathname

export interface BadInputServer {
  readonly dataDir: string
  readonly process: ServerProcess
  readonly raw: RawClient
  readonly client: TwinstoreClient
  close(): Promise<void>
}

export async function startBadInputServer(flags: readonly string[]): Promise<BadInputServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'twinstore-bad-input-'))
  const server = await startServerProcess({ dataDir, definitions: EVERY_TYPE, flags })
  const raw = rawClient(server.address)
  const client = connect(server.address)
  return {
    dataDir,
    process: server,
    raw,
    client,
    async close() {
      raw.close()
      client.close()
      const exitCode = await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
      expect(exitCode, 'exit code after a drain').toBe(0)
    },
  }
}

/** What a message beyond a `grpc-message-bytes-max` of 16 KiB gets. grpc-js has its own words, in which our option stands where the limit does. */
export const TOO_LARGE_A_MESSAGE =
  TRANSPORT === 'lean'
    ? /^a message \(\d+ bytes\) is larger than 16384 bytes, option grpc-message-bytes-max$/
    : /^Received message larger than max \(\d+ vs 16384 bytes, option grpc-message-bytes-max\)$/

/** A request, the code it must get, and what the message must say. */
export type BadInput = readonly [what: string, messages: Messages, code: string, message: string | RegExp]
type Messages = Buffer | Fields | readonly (Buffer | Fields)[]

export async function expectRefused(server: BadInputServer, method: Method, input: BadInput): Promise<void> {
  const [, messages, code, message] = input
  const refusal: Refusal = await server.raw.refused(method, messages)
  expect(refusal.code, refusal.message).toBe(code)
  if (typeof message === 'string') expect(refusal.message).toBe(message)
  else expect(refusal.message).toMatch(message)
  expect(refusal.message, 'a stack trace').not.toMatch(/\n\s+at /)
}

export function strings(name: string, ...val: readonly string[]): Fields {
  return { name, strings: { val } }
}

export function int64s(name: string, ...val: readonly number[]): Fields {
  return { name, int64s: { val } }
}

/** The entity columns of `stock`: items `a`, `b`, ... in shops 1, 2, ... */
export function stockRows(count: number): readonly Fields[] {
  const indexes = Array.from({ length: count }, (_, index) => index)
  return [
    strings('item', ...indexes.map((index) => `item-${index}`)),
    int64s('shop', ...indexes.map((index) => index + 1)),
  ]
}
