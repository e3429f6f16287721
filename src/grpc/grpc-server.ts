/**
 * A gRPC server on sockets: plain, TLS, or connections that another process accepted.
 *
 * Every connection is a `Http2Connection` with a shell around its socket; one timer for all of them lets time pass. A drain tells
 * every client to go elsewhere, waits for the calls under way and ends those that are left by force.
 */
import type { Duplex } from 'node:stream'
import type { TlsOptions, Server as TlsServer } from 'node:tls'
import type { ConnectionLimits } from '../http2/connection.ts'
import { HeldBytes } from '../http2/held-bytes.ts'
import { relieve } from '../http2/relief.ts'
import { type ShellOptions, type SocketShell, serveSocket } from '../http2/socket-shell.ts'
import { AnswerBuffers } from '../lib/answer-buffers.ts'
import { listenOn } from '../lib/listen.ts'
import { createSlots } from '../lib/slots.ts'
import { type CallSurroundings, GrpcConnection, type GrpcConnectionOptions } from './grpc-connection.ts'
import { IncomingBudget } from './incoming-budget.ts'
import { createListener } from './listener.ts'
import type { Method } from './method.ts'

export interface GrpcServerParts {
  readonly methods: ReadonlyMap<string, Method>
  readonly limits: ConnectionLimits
  readonly calls: Omit<CallSurroundings, 'incoming' | 'turns'>
  /** Of all connections together: what has come of requests that no method has yet, and what waits for clients to read. */
  readonly incomingBytesTotalMax: number
  readonly heldBytesMax: number
  /** Certificates and keys; undefined for plain sockets. */
  readonly tls?: TlsOptions | undefined
  /** Connections at once; more are closed as they come. */
  readonly connectionsMax: number
  /** Bytes of buffers that are kept for the next answers. */
  readonly poolBytesMax: number
  /** A connection ended for a fault of its peer, or was not made; `reason` is one of few. */
  readonly onFault: (problem: string, reason: string) => void
}

/** What there is at the moment. */
export interface LeanServerNumbers {
  readonly connections: number
  /** Of requests that no method has yet. */
  readonly incomingBytes: number
  /** That wait for clients to read. */
  readonly heldBytes: number
  /** Connections that ended for a fault of their peer, by its reason. */
  readonly faults: ReadonlyMap<string, number>
}

export interface LeanServer {
  /** `host:port`; resolves to the port. Rejects with the socket's error. */
  listen(address: string): Promise<number>
  /** Serves a connection that was accepted elsewhere, over TLS if that is what is served. */
  accept(socket: Duplex): void
  /** Connections from now on are made with these certificates; for a server with TLS. */
  renew(tls: TlsOptions): void
  /** Takes no new calls; resolves to whether those under way ended within `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>
  close(): void
  numbers(): LeanServerNumbers
}

/** Time is measured in these steps, so each limit may be exceeded by one. */
const TICK_MS = 500
/** Messages that are decompressed at once: as many as Node has threads for that. More would only take memory at the same time. */
const DECOMPRESSIONS_MAX = 4
/** While too much waits for clients: how often it is looked who reads. */
const LOOK_AGAIN_MS = 50

export function createLeanServer(parts: GrpcServerParts): LeanServer {
  const served = new Set<SocketShell>()
  const faults = new Map<string, number>()
  const { methods, limits } = parts
  const incoming = new IncomingBudget(parts.incomingBytesTotalMax)
  const calls = { ...parts.calls, incoming, turns: createSlots(DECOMPRESSIONS_MAX) }
  // Whole ones, because V8 keeps every number with a fraction in an object of its own, and connections have several.
  const nowMs = (): number => Math.trunc(calls.nowMs())
  const held = new HeldBytes(parts.heldBytesMax, () => {
    relieving ??= calls.after(LOOK_AGAIN_MS, findRoom)
  })
  const shared = { pool: new AnswerBuffers(parts.poolBytesMax), held }
  const connectionOptions: GrpcConnectionOptions = { methods, limits, shared, calls }
  const onFault = (problem: string, reason: string): void => {
    faults.set(reason, (faults.get(reason) ?? 0) + 1)
    parts.onFault(problem, reason)
  }
  let ticking: { cancel(): void } | undefined
  let relieving: { cancel(): void } | undefined
  let onEmpty = (): void => undefined
  let isDraining = false
  const shellOptions: ShellOptions = {
    now: nowMs,
    turnMsMax: limits.turnMsMax,
    onClosed(shell) {
      served.delete(shell)
      const { fault } = shell.connection
      if (fault !== undefined) onFault(fault.message, fault.reason)
      if (served.size === 0) onEmpty()
    },
  }

  const tick = (): void => {
    for (const shell of served) shell.tick()
    ticking = served.size > 0 ? parts.calls.after(TICK_MS, tick) : undefined
  }
  const findRoom = (): void => {
    relieving = undefined
    relieve(held, served)
    if (held.isOver) relieving = calls.after(LOOK_AGAIN_MS, findRoom)
  }
  const accept = (socket: Duplex): void => {
    if (isDraining || served.size >= parts.connectionsMax) {
      socket.destroy()
      return
    }
    const grpc = new GrpcConnection(connectionOptions, nowMs())
    const shell = serveSocket(socket, grpc.connection, shellOptions)
    grpc.shell = shell
    served.add(shell)
    ticking ??= parts.calls.after(TICK_MS, tick)
  }

  const server = createListener({ ...parts, handshakeMs: limits.times.handshakeMs, onFault }, accept)
  const closeAll = (): void => {
    server.close()
    ticking?.cancel()
    relieving?.cancel()
    for (const { socket } of served) socket.destroy()
  }

  return {
    listen: (address) => listenOn(server, address),
    // A TLS server makes of a connection that another process accepted what it makes of its own.
    accept: (socket) => (parts.tls === undefined ? accept(socket) : server.emit('connection', socket)),
    renew: (tls) => (server as TlsServer).setSecureContext(tls),
    drain(deadlineMs) {
      isDraining = true
      server.close()
      return new Promise((resolve) => {
        const timer = parts.calls.after(deadlineMs, () => {
          closeAll()
          resolve(false)
        })
        onEmpty = () => {
          timer.cancel()
          ticking?.cancel()
          resolve(true)
        }
        for (const shell of served) shell.drain()
        if (served.size === 0) onEmpty()
      })
    },
    close: closeAll,
    numbers: () => ({ connections: served.size, incomingBytes: incoming.bytes, heldBytes: held.bytes, faults }),
  }
}
