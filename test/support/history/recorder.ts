/** Takes down what clients do while they do it. */
import { type ErrorCode, TwinstoreError } from '../../../src/client/index.ts'
import type { Fault, Read, Write } from './history.ts'

/** One call of a client, as it went. */
export interface Operation {
  /** `archive`: a write that waits for the offline store (ack BOTH). */
  readonly kind: 'write' | 'archive' | 'read'
  readonly sentMs: number
  readonly endedMs: number
  readonly code: ErrorCode | 'OK'
  /** Slots of an answer that were UNAVAILABLE, and those that were answered from an expired entry. */
  readonly slotsUnavailable: number
  readonly slotsStale: number
}

/** What a client must be ready for while instances and nodes die; any other failure is a fault of the product. */
const EXPECTED = new Set<ErrorCode>(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'RESOURCE_EXHAUSTED'])
/** What grpc-js, not the server, says of a connection that broke or was closed under a call. */
const BROKEN_CONNECTION = /RST_STREAM|the client is closed|Channel has been shut down|closed the stream/i

export class Recorder {
  readonly writes: Write[] = []
  readonly reads: Read[] = []
  readonly faults: Fault[] = []
  readonly operations: Operation[] = []
  /** Messages of failures that no client should ever see. */
  readonly unexpected: string[] = []
  /** How often each message was seen, numbers left out. */
  readonly messages = new Map<string, number>()

  /** Resolves to the answer with its times, or to the code it failed with. */
  async call<T>(
    kind: Operation['kind'],
    make: () => Promise<T>,
    degraded: (answer: T) => Partial<Pick<Operation, 'slotsUnavailable' | 'slotsStale'>> = () => ({}),
  ): Promise<{ sentMs: number; endedMs: number; answer?: T; code: ErrorCode | 'OK' }> {
    const sentMs = performance.now()
    const done = (code: ErrorCode | 'OK', slots: ReturnType<typeof degraded>) => {
      const endedMs = performance.now()
      this.operations.push({ kind, sentMs, endedMs, code, slotsUnavailable: 0, slotsStale: 0, ...slots })
      return { sentMs, endedMs, code }
    }
    try {
      const answer = await make()
      return { ...done('OK', degraded(answer)), answer }
    } catch (error) {
      if (!(error instanceof TwinstoreError)) throw error
      const message = `${kind} ${error.code}: ${error.message.replace(/\d+/g, 'N')}`
      this.messages.set(message, (this.messages.get(message) ?? 0) + 1)
      if (!EXPECTED.has(error.code) && !BROKEN_CONNECTION.test(error.message)) {
        this.unexpected.push(`${kind} at ${sentMs.toFixed(1)} ms: ${error.code}: ${error.message}`)
      }
      return done(error.code, {})
    }
  }
}
