/**
 * A connection on a socket: what comes goes in, what is to be sent leaves in one write for each turn of the event loop.
 *
 * Answers that are made later, by calls that had to wait, are gathered until the end of the turn in which they are made.
 */
import type { Duplex } from 'node:stream'
import type { Http2Connection } from './connection.ts'

export interface ShellOptions {
  /** Monotonic, milliseconds. */
  readonly now: () => number
  /** The socket is closed, for whatever reason. */
  readonly onClosed: () => void
}

export interface SocketShell {
  /** There is output that no event of the socket made. */
  flushSoon(): void
  tick(): void
}

/** How long a peer may take to close after the last byte has left: closed at once, it might not get to read why. */
const LINGER_MS = 1000

export function serveSocket(socket: Duplex, connection: Http2Connection, { now, onClosed }: ShellOptions): SocketShell {
  let writing = 0
  let isFlushDue = false
  let endedMs: number | undefined

  const end = (): void => {
    if (endedMs !== undefined) return
    endedMs = now()
    socket.end()
  }
  const written = (error?: Error | null): void => {
    if (error) return
    writing--
    if (writing > 0) return
    connection.sent(now())
    flush()
  }
  const flush = (): void => {
    isFlushDue = false
    // One write at a time: what is made meanwhile waits in the connection, where the streams take turns.
    if (writing > 0 || socket.destroyed) return
    if (connection.output.bytes > 0) {
      const chunks = connection.output.take()
      connection.sending(now())
      writing = chunks.length
      if (chunks.length === 1) {
        socket.write(chunks[0]!, written)
        return
      }
      socket.cork()
      for (const chunk of chunks) socket.write(chunk, written)
      socket.uncork()
    } else if (connection.isOver) end()
  }

  socket.on('data', (chunk: Buffer) => {
    connection.receive(chunk, now())
    flush()
  })
  socket.on('error', () => socket.destroy())
  // HTTP/2 knows no half of a connection: a peer that has closed its half is gone, and its calls are to hear of it at once.
  socket.on('end', () => socket.destroy())
  socket.once('close', () => {
    connection.close()
    onClosed()
  })
  flush()
  return {
    flushSoon() {
      if (isFlushDue) return
      isFlushDue = true
      process.nextTick(flush)
    },
    tick() {
      connection.tick(now())
      flush()
      if (endedMs !== undefined && now() - endedMs > LINGER_MS) socket.destroy()
      // What is stuck behind a peer that does not read does not leave any more.
      else if (connection.isOver && connection.isStuck) socket.destroy()
    },
  }
}
