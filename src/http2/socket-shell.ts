/**
 * A connection on a socket: what comes goes in, what is to be sent leaves in one write for each turn of the event loop, or in several
 * where there is much of it.
 *
 * Answers that are made later, by calls that had to wait, are gathered until the end of the turn in which they are made.
 *
 * A connection with much to do has a turn of a few milliseconds, and goes on after timers and other connections have had theirs. Else libuv
 * would read on as long as anything is there, up to 2 MB of requests, and their answers leave as fast as the peer takes them.
 *
 * A server has many connections that nobody uses. So all of them share their listeners, which find the shell at the socket, and the
 * function that is called when bytes have left is made for each write.
 */
import type { Duplex } from 'node:stream'
import type { Http2Connection } from './connection.ts'
import type { HeldShare } from './held-bytes.ts'
import type { Holder } from './relief.ts'

/** The same for all connections of a server. */
export interface ShellOptions {
  /** Monotonic, whole milliseconds. */
  readonly now: () => number
  /** Looked at after each read (64 KB are a thousand requests of 4 us, or fifty of 100 us) and each write; milliseconds. */
  readonly turnMsMax: number
  /** The socket is closed, for whatever reason. */
  readonly onClosed: (shell: SocketShell) => void
}

const SHELL = Symbol('shell')

interface ServedSocket extends Duplex {
  [SHELL]?: SocketShell
}

/**
 * How long a peer may take to close after the last byte has left: closed at once, it might not get to read why. One that broke a rule has
 * as long to read the rest at all.
 */
const LINGER_MS = 1000

/** What Node reads at once; libuv reads on after a read that was as large. */
const READ_BYTES = 64 * 1024

export function serveSocket(socket: Duplex, connection: Http2Connection, options: ShellOptions): SocketShell {
  const shell = new SocketShell(socket, connection, options)
  const served: ServedSocket = socket
  served[SHELL] = shell
  socket.on('data', onData)
  socket.on('error', onError)
  socket.on('end', onEnd)
  socket.on('close', onClose)
  shell.flush()
  return shell
}

function onData(this: ServedSocket, chunk: Buffer): void {
  this[SHELL]!.received(chunk)
}

function onError(this: ServedSocket): void {
  this.destroy()
}

/** HTTP/2 knows no half of a connection: a peer that has closed its half is gone, and its calls are to hear of it at once. */
function onEnd(this: ServedSocket): void {
  this.destroy()
}

function onClose(this: ServedSocket): void {
  this[SHELL]!.closed()
}

function resume(socket: Duplex): void {
  socket.resume()
}

function flushNow(shell: SocketShell): void {
  shell.flushInTurn()
}

function goOn(shell: SocketShell): void {
  shell.goOn()
}

export class SocketShell implements Holder {
  readonly socket: Duplex
  readonly connection: Http2Connection
  /** The connection's turn is over, and no answer that is made now would leave in it. */
  isResting = false
  readonly #options: ShellOptions
  /** A write is under way. */
  #isWriting = false
  /** Writes that have left, as the connection knows and Node has not said yet. */
  #toldBefore = 0
  #isFlushDue = false
  #turnBeganMs = 0
  /** The last read may be followed by another in the same turn. */
  #isReadingOn = false
  #endedMs: number | undefined
  #faultSeenMs: number | undefined

  constructor(socket: Duplex, connection: Http2Connection, options: ShellOptions) {
    this.socket = socket
    this.connection = connection
    this.#options = options
    connection.sender.writer = this
  }

  received(chunk: Buffer): void {
    const nowMs = this.#options.now()
    if (!this.#isReadingOn) this.#turnBeganMs = nowMs
    this.connection.receive(chunk, nowMs)
    this.flush()
    this.#isReadingOn = chunk.length >= READ_BYTES
    if (!this.#isTurnOver()) return
    this.#isReadingOn = false
    this.socket.pause()
    setImmediate(resume, this.socket)
  }

  closed(): void {
    this.connection.close()
    this.#options.onClosed(this)
  }

  /** There is output that no event of the socket made. */
  flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    process.nextTick(flushNow, this)
  }

  flushInTurn(): void {
    this.#turnBeganMs = this.#options.now()
    this.flush()
  }

  /** In a turn of its own, after a write that ended one. */
  goOn(): void {
    this.isResting = false
    if (this.socket.destroyed) return
    this.#turnBeganMs = this.#options.now()
    this.#hasLeft()
    this.flush()
  }

  drain(): void {
    this.connection.drain(this.#options.now())
    this.flushSoon()
  }

  flush(): void {
    this.#isFlushDue = false
    this.#send()
    if (!this.socket.destroyed) this.connection.settle()
  }

  tick(): void {
    const { socket, connection } = this
    this.#turnBeganMs = this.#options.now()
    connection.tick(this.#turnBeganMs)
    this.flush()
    if (connection.fault !== undefined) this.#faultSeenMs ??= this.#options.now()
    const lingersSinceMs = this.#endedMs ?? this.#faultSeenMs
    if (lingersSinceMs !== undefined && this.#options.now() - lingersSinceMs > LINGER_MS) socket.destroy()
    // What is stuck behind a peer that does not read does not leave any more.
    else if (connection.isOver && connection.isStuck) socket.destroy()
  }

  get share(): HeldShare {
    return this.connection.share
  }

  giveUp(): void {
    this.connection.giveUp()
    if (!this.#isWriting) {
      this.flush()
      return
    }
    // It would not get to read why before it has read the rest.
    this.socket.destroy()
    this.connection.close()
  }

  #send(): void {
    const { socket, connection } = this
    // One write at a time: what is made meanwhile waits in the connection, where the streams take turns.
    while (!this.#isWriting && connection.output.bytes > 0 && !socket.destroyed) this.#write(connection.output.take())
    if (connection.isOver && !this.#isWriting && !socket.destroyed) this.#end()
  }

  #write(chunks: readonly Buffer[]): void {
    const { socket } = this
    const last = chunks.length - 1
    this.#isWriting = true
    if (last > 0) socket.cork()
    for (let index = 0; index < last; index++) socket.write(chunks[index]!)
    socket.write(chunks[last]!, (error) => this.#left(error))
    if (last > 0) socket.uncork()
    if (socket.writableLength > 0) {
      this.connection.sending(this.#options.now())
      return
    }
    // The system has all of it, so that its buffers are free for the next answer of this turn. Node says so at the end of the turn only.
    this.#toldBefore++
    if (this.#isTurnOver()) {
      this.isResting = true
      setImmediate(goOn, this)
    } else this.#hasLeft()
  }

  #hasLeft(): void {
    this.#isWriting = false
    this.connection.sent(this.#options.now())
  }

  #isTurnOver(): boolean {
    return this.#options.now() - this.#turnBeganMs >= this.#options.turnMsMax
  }

  /** Node says that a write has left. */
  #left(error?: Error | null): void {
    if (error) return
    if (this.#toldBefore > 0) {
      this.#toldBefore--
      return
    }
    this.#turnBeganMs = this.#options.now()
    this.#hasLeft()
    this.flush()
  }

  #end(): void {
    if (this.#endedMs !== undefined) return
    this.#endedMs = this.#options.now()
    this.socket.end()
  }
}
