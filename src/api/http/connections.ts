/**
 * The connections of an HTTP server, whether it listens itself or gets them from another process: how many there may be, and how they
 * end.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../lib/clock.ts'

export class Connections {
  readonly #server: Server
  readonly #open = new Set<Socket>()
  /** Over TLS, what requests come from: the connections above whose handshake is done. */
  readonly #secure = new Set<Socket>()
  #onEmpty: (() => void) | undefined

  /** Past `countMax` a connection is closed as soon as it is there. */
  constructor(server: Server, countMax: number) {
    this.#server = server
    server.on('connection', (connection: Socket) => {
      if (this.#open.size >= countMax || this.#onEmpty !== undefined) {
        connection.destroy()
        return
      }
      this.#open.add(connection)
      connection.once('close', () => {
        this.#open.delete(connection)
        if (this.#open.size === 0) this.#onEmpty?.()
      })
    })
    server.on('secureConnection', (connection: Socket) => {
      // It has come before the drain, and its handshake was not done then; as without TLS, one that has not asked yet is closed.
      if (this.#onEmpty !== undefined) {
        connection.destroy()
        return
      }
      this.#secure.add(connection)
      connection.once('close', () => this.#secure.delete(connection))
    })
  }

  /**
   * Takes no new connections, closes those without a request, and waits until the others are closed, which their answers must ask
   * for. Resolves to whether that was within `deadlineMs`; what is left then is cut.
   */
  drain(deadlineMs: number, clock: Pick<Clock, 'after'>): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (byThemselves: boolean): void => {
        timer.cancel()
        resolve(byThemselves)
      }
      const timer = clock.after(deadlineMs, () => {
        this.cut()
        end(false)
      })
      this.#onEmpty = () => end(true)
      // A server that never listened reports that as an error, which nobody needs to know.
      this.#server.close(() => undefined)
      this.#server.closeIdleConnections()
      // To Node a connection that never sent anything is not idle: its first request is late.
      for (const connection of [...this.#open, ...this.#secure]) if (connection.bytesRead === 0) connection.destroy()
      if (this.#open.size === 0) this.#onEmpty()
    })
  }

  /** Ends every connection at once. */
  cut(): void {
    this.#server.close(() => undefined)
    for (const connection of this.#open) connection.destroy()
  }
}
