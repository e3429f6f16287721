/**
 * Services that libraries make for grpc-js (health, reflection) on the lean transport: their handlers get calls of the shape they know.
 *
 * Only what those handlers use is there: the request, `write`, `end`, and the events `data`, `end` and `cancelled`.
 */
import { EventEmitter } from 'node:events'
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { CallContext, MessageStream, Method } from '../../grpc/method.ts'

/** What a library adds its service to. */
export interface ServiceRegistry {
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void
}

/** A status that a borrowed handler ended its call with. */
export class BorrowedStatus extends Error {
  readonly code: number

  constructor({ code, details }: { readonly code: number; readonly details: string }) {
    super(details)
    this.name = 'BorrowedStatus'
    this.code = code
  }
}

type Definition = ServiceDefinition[string]
type Reply = (error: { code: number; details: string } | null, answer?: unknown) => void

/** Collects the services as methods by path. */
export function borrowedServices(into: Map<string, Method>): ServiceRegistry {
  return {
    addService(definition, implementation) {
      for (const [name, method] of Object.entries(definition)) {
        const handler = implementation[method.originalName ?? name] ?? implementation[name]
        if (handler !== undefined) into.set(method.path, methodOf(method, handler as (...args: unknown[]) => void))
      }
    },
  }
}

function methodOf(definition: Definition, handler: (...args: unknown[]) => void): Method {
  if (!definition.requestStream && !definition.responseStream) {
    return { kind: 'unary', handle: (request) => answered(definition, handler, request) }
  }
  return { kind: 'push', handle: (stream, call) => streamed(definition, handler, stream, call) }
}

function answered(definition: Definition, handler: (...args: unknown[]) => void, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const reply: Reply = (error, answer) => {
      if (error === null) resolve(definition.responseSerialize(answer))
      else reject(new BorrowedStatus(error))
    }
    handler({ request: definition.requestDeserialize(request) }, reply)
  })
}

function streamed(
  definition: Definition,
  handler: (...args: unknown[]) => void,
  stream: MessageStream,
  call: CallContext,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = new EventEmitter()
    const borrowed = Object.assign(events, {
      request: undefined as unknown,
      // These services write little, and only when they are asked or something changes: nothing waits for the reader.
      write: (message: unknown) => stream.write(definition.responseSerialize(message)),
      end: () => resolve(),
    })
    call.signal.addEventListener('abort', () => {
      events.emit('cancelled')
      reject(call.signal.reason)
    })
    stream.onMessage = (bytes) => {
      const message: unknown = definition.requestDeserialize(bytes)
      if (definition.requestStream) events.emit('data', message)
      else {
        borrowed.request = message
        handler(borrowed)
      }
    }
    stream.onEnd = () => events.emit('end')
    if (definition.requestStream) handler(borrowed)
    stream.resume()
  })
}
