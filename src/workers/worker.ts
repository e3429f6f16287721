/** The worker's end of the channel to its supervisor. */
import cluster, { type Worker } from 'node:cluster'
import type { Socket } from 'node:net'
import { TwinstoreError } from '../domain/errors.ts'
import type { Invalidation } from '../online/online-store.ts'
import { ChangeQueue } from './change-queue.ts'
import type { Edge, FromWorker, Ready, ServedDefinitions, ToWorker } from './messages.ts'
import type { ChangeChannel } from './shared-watch.ts'

export interface WorkerPart {
  readonly number: number
  /** What to serve; undefined for the worker that applies the definitions. */
  readonly definitions: ServedDefinitions | undefined
  readonly changes: ChangeChannel
  /** To be called before `ready`: what takes the connections of an edge that the supervisor hands over. */
  connections(edge: Edge, accept: (connection: Socket) => void): void
  ready(ready: Ready): void
  /** Asks for no more connections. */
  leaving(): void
  /** Aborted when the supervisor asks for an end, or is gone: nobody would accept connections any more. */
  readonly stop: AbortSignal
  /** Calls `listener` when certificates are to be read again. */
  onReload(listener: () => void): void
  /** Closes the channel, which keeps the process alive. */
  leave(): void
}

/** Whether this process was started by a supervisor. */
export function isWorker(): boolean {
  return cluster.isWorker
}

/** Resolves when the supervisor has said what this worker is. */
export function joinSupervisor(): Promise<WorkerPart> {
  const { worker } = cluster
  if (worker === undefined) throw new TwinstoreError('INTERNAL', 'not a worker')
  const stop = new AbortController()
  const listeners = new Set<(changed: Invalidation) => void>()
  return new Promise((resolve, reject) => {
    worker.once('disconnect', () => {
      // Without this node:cluster ends the process at once, with its calls under way.
      worker.exitedAfterDisconnect = true
      stop.abort()
      reject(new TwinstoreError('CANCELLED', 'the supervisor ended before this worker began'))
    })
    let reload = (): void => undefined
    const accepting = new Map<Edge, (connection: Socket) => void>()
    worker.on('message', (message: ToWorker, connection?: Socket) => {
      switch (message.kind) {
        case 'stop':
          stop.abort()
          break
        case 'reload':
          reload()
          break
        case 'changed':
          for (const listener of [...listeners]) listener(message.changed)
          break
        case 'connection':
          // Undefined if the client has closed it on the way.
          if (connection !== undefined) (accepting.get(message.edge) ?? refuse)(connection)
          send(worker, { kind: 'taken', edge: message.edge, id: message.id })
          break
        case 'start':
          resolve({
            number: message.number,
            definitions: message.definitions,
            changes: channelOf(worker, listeners, message.changedKeysMax),
            connections: (edge, accept) => accepting.set(edge, accept),
            ready: (ready) => send(worker, { kind: 'ready', ready }),
            leaving: () => send(worker, { kind: 'leaving' }),
            stop: stop.signal,
            onReload: (listener) => {
              reload = listener
            },
            leave: () => {
              if (worker.isConnected()) worker.disconnect()
            },
          })
      }
    })
    send(worker, { kind: 'joined' })
  })
}

function refuse(connection: Socket): void {
  connection.destroy()
}

function channelOf(
  worker: Worker,
  listeners: Set<(changed: Invalidation) => void>,
  changedKeysMax: number,
): ChangeChannel {
  const queue = new ChangeQueue((changed, done) => send(worker, { kind: 'changed', changed }, done), changedKeysMax)
  return {
    tell: (changed) => queue.add(changed),
    listen(listener) {
      const own = (changed: Invalidation): void => listener(changed)
      listeners.add(own)
      return () => listeners.delete(own)
    },
  }
}

/** With a callback a channel that is closed is no error: the supervisor is gone, and `stop` says so. */
function send(worker: Worker, message: FromWorker, done: () => void = () => undefined): void {
  worker.send(message, undefined, undefined, done)
}
