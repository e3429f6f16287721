/** Sockets on which a client speaks HTTP/2 from its first byte on: plain, or with TLS, whose handshake is done when they are handed over. */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { tellHandshakeProblems } from '../lib/tls-handshake.ts'

export interface ListenerParts {
  /** Certificates and keys; undefined for plain sockets. */
  readonly tls?: TlsOptions | undefined
  /** How long a handshake of TLS may take, milliseconds. */
  readonly handshakeMs: number
  /** Connections at once, counted here for TLS alone; more are closed as they come. */
  readonly connectionsMax: number
  /** A client did not get through the handshake. */
  readonly onFault: (problem: string, reason: string) => void
}

export function createListener(parts: ListenerParts, accept: (socket: Socket) => void): Server {
  const { tls, handshakeMs, connectionsMax, onFault } = parts
  // Answers are small and wait for nothing: without Nagle's algorithm they leave at once.
  if (tls === undefined) return createServer({ noDelay: true }, accept)
  const options = { ...tls, ALPNProtocols: ['h2'], noDelay: true, handshakeTimeout: handshakeMs } as TlsOptions
  const server = createTlsServer(options, (socket) => {
    // RFC 9113, section 3.2: over TLS a client has to ask for h2.
    if (socket.alpnProtocol === 'h2') accept(socket)
    else socket.destroy()
  })
  tellHandshakeProblems(server, (problem) => onFault(problem, 'TLS'))
  // A connection counts while its handshake goes on, too.
  server.maxConnections = connectionsMax
  return server
}
