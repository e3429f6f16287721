/**
 * Job processes as the server sees them: started, talked to and ended by way of the host process (`job-host.ts`), which is started with
 * this and again when it is needed and has ended.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { FromChild, FromHost, ToChild, ToHost } from './job-messages.ts'

export interface JobProcessEvents {
  onMessage(message: FromChild): void
  /** The process is gone, and `why`. Called once. */
  onEnded(why: string): void
}

export interface JobProcess {
  /** Undefined until it is known that the process was started. */
  readonly pid: number | undefined
  /** What is sent to a process that has ended is lost. */
  send(message: ToChild): void
  kill(): void
}

export interface JobProcesses {
  /** `nice`: by how much its threads stand back where processor time is short, 0 to 19. */
  start(nice: number, events: JobProcessEvents): JobProcess
  /** Ends the host, and so all processes that are left; resolves when it is gone. */
  close(): Promise<void>
}

export interface JobModules {
  /** The compiled `job-host.ts`. */
  readonly hostModule: URL
  /** The compiled `job-process.ts`. */
  readonly module: URL
}

interface Started extends JobProcessEvents {
  pid: number | undefined
}

export function openJobProcesses({ hostModule, module }: JobModules): JobProcesses {
  const started = new Map<number, Started>()
  let lastId = 0
  let host: Host | undefined = startHost()

  function startHost(): Host {
    const own = new Host(hostModule, hear, (why) => {
      if (host === own) host = undefined
      const orphans = [...started.values()]
      started.clear()
      for (const orphan of orphans) orphan.onEnded(`the process that started it ended: ${why}`)
    })
    return own
  }

  function hear(message: FromHost): void {
    const from = started.get(message.process)
    if (from === undefined) return
    if (message.type === 'heard') from.onMessage(message.message)
    else if (message.type === 'started') from.pid = message.pid
    else {
      started.delete(message.process)
      from.onEnded(message.why)
    }
  }

  return {
    start(nice, { onMessage, onEnded }) {
      const id = ++lastId
      const own: Started = { pid: undefined, onMessage, onEnded }
      started.set(id, own)
      host ??= startHost()
      host.send({ type: 'start', process: id, module: module.href, nice })
      return {
        get pid() {
          return own.pid
        },
        send: (message) => host?.send({ type: 'post', process: id, message }),
        kill: () => host?.send({ type: 'kill', process: id }),
      }
    },
    async close() {
      await host?.close()
    },
  }
}

class Host {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>

  constructor(module: URL, hear: (message: FromHost) => void, onEnded: (why: string) => void) {
    // No flags of this process are passed on: they may load what only this process needs.
    this.#child = fork(module, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    })
    this.#child.on('message', hear)
    this.#ended = new Promise((resolve) => {
      const end = (why: string) => {
        onEnded(why)
        resolve()
      }
      this.#child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
      this.#child.on('error', (error) => this.#child.pid === undefined && end(error.message))
    })
  }

  /** The callback keeps a closed channel from becoming an error event; `exit` tells of it. */
  send(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#ended
  }
}
