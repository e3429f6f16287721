/** Instances of Twinstore on the same stores, each a real process with a data folder of its own, killed and started again. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TwinstoreClient } from '../../../src/client/index.ts'
import { type ServerProcess, startServerProcess } from '../server-process.ts'

const DEFINITIONS = new URL('../../fixtures/ledger', import.meta.url).pathname

/** One life of an instance, from a start to its end; with a client that makes one attempt per call. */
export interface Life {
  /** Unique, such as `B3`: the third life of B. */
  readonly name: string
  readonly client: TwinstoreClient
}

export class Instance {
  readonly name: string
  readonly #dataDir: string
  readonly #flags: readonly string[]
  #lives = 0
  #server: ServerProcess | undefined
  #life: Life | undefined

  constructor(name: string, folder: string, flags: readonly string[]) {
    this.name = name
    this.#dataDir = join(folder, name)
    this.#flags = flags
    mkdirSync(this.#dataDir, { recursive: true })
  }

  /** The present life, or the last one while it is down: its calls fail. */
  get life(): Life {
    return this.#life!
  }

  async start(): Promise<void> {
    const server = await startServerProcess({ dataDir: this.#dataDir, definitions: DEFINITIONS, flags: this.#flags })
    this.#server = server
    this.#lives++
    this.#life?.client.close()
    this.#life = { name: `${this.name}${this.#lives}`, client: connect(server.address, { attemptsMax: 1 }) }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#server?.kill()
  }

  /** SIGTERM and a drain; resolves to the exit code. */
  async stop(): Promise<number | null | undefined> {
    return this.#server?.stop()
  }

  stderr(): string {
    return this.#server?.stderr() ?? ''
  }

  async dispose(): Promise<void> {
    this.#life?.client.close()
    await this.kill()
  }
}
