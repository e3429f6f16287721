/**
 * The listening socket of one edge of a server with workers: connections go to those that serve, in turn.
 *
 * A connection stays open here too until its worker says that it has it, and is closed if the worker ends before: the client
 * then connects again at once. node:cluster's own sharing of sockets forgets such a connection, which stays open with nobody to
 * answer on it (seen with Node 20.20: one in two connections made in the moment a worker was killed).
 *
 * Bound: `untakenMax` connections on their way to a worker. When every worker is that far behind, or none serves, new
 * connections are closed.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { listenError } from '../domain/listen-error.ts'
import { listenOn, withPort } from '../lib/listen.ts'
import type { Edge } from './messages.ts'

export interface Dealt {
  readonly id: number
  readonly socket: Socket
}

/** Hands a connection over; calls `failed` if that cannot be. */
export type HandOver = (dealt: Dealt, failed: () => void) => void

export class ConnectionDealer {
  readonly #server: Server
  readonly #edge: Edge
  readonly #untakenMax: number
  /** Workers that serve, the next in turn first. */
  readonly #receivers: { readonly worker: number; readonly handOver: HandOver }[] = []
  readonly #untaken = new Map<number, Map<number, Socket>>()
  #lastId = 0

  constructor(edge: Edge, untakenMax: number) {
    this.#edge = edge
    this.#untakenMax = untakenMax
    // A connection is read by its worker alone.
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#deal(socket))
  }

  /** `host:port`; resolves to it with the real port. FAILED_PRECONDITION if it cannot be listened on. */
  async listen(address: string): Promise<string> {
    const port = await listenOn(this.#server, address).catch((error: Error) => {
      throw listenError(PROTOCOL[this.#edge], this.#edge, address, error)
    })
    return withPort(address, port)
  }

  close(): void {
    this.#server.close()
  }

  add(worker: number, handOver: HandOver): void {
    this.#receivers.push({ worker, handOver })
    this.#untaken.set(worker, new Map())
  }

  /** It gets no more; what it has not taken stays open. */
  pass(worker: number): void {
    const at = this.#receivers.findIndex((receiver) => receiver.worker === worker)
    if (at >= 0) this.#receivers.splice(at, 1)
  }

  /** It has ended. */
  remove(worker: number): void {
    this.pass(worker)
    for (const socket of this.#untaken.get(worker)?.values() ?? []) socket.destroy()
    this.#untaken.delete(worker)
  }

  /** The worker holds the connection itself now: closing it here does not end it. */
  taken(worker: number, id: number): void {
    const untaken = this.#untaken.get(worker)
    untaken?.get(id)?.destroy()
    untaken?.delete(id)
  }

  #deal(socket: Socket): void {
    // One that breaks meanwhile is found broken by its worker.
    socket.on('error', () => undefined)
    const at = this.#receivers.findIndex(({ worker }) => this.#untaken.get(worker)!.size < this.#untakenMax)
    const [receiver] = at < 0 ? [] : this.#receivers.splice(at, 1)
    if (receiver === undefined) {
      socket.destroy()
      return
    }
    this.#receivers.push(receiver)
    const id = ++this.#lastId
    this.#untaken.get(receiver.worker)!.set(id, socket)
    receiver.handOver({ id, socket }, () => this.taken(receiver.worker, id))
  }
}

const PROTOCOL = { grpc: 'gRPC', http: 'HTTP' } as const
