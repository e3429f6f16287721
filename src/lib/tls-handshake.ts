/** Why a server and a client could not agree on TLS, in words for the server's log. */
import type { Server, TLSSocket } from 'node:tls'

/** Ends connections whose handshake fails, and tells why. */
export function tellHandshakeProblems(server: Server, tell: (problem: string) => void): void {
  server.on('tlsClientError', (error, socket) => {
    const problem = handshakeProblem(error, socket)
    if (problem !== undefined) tell(problem)
    socket.destroy()
  })
}

/** Undefined for clients that only went away: whoever checks whether a port is open does so all the time. */
function handshakeProblem(error: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  // With TLS 1.3 the client's certificate comes when the handshake is over for the client; Node then tells of a closed connection.
  const refused: unknown = socket.authorizationError
  if (refused) return `the certificate of a client was refused: ${refused}`
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_HTTP_REQUEST':
      return 'a client spoke without TLS'
    default:
      return `no TLS with a client: ${(error as { reason?: string }).reason ?? error.message}`
  }
}
