import type { Reply } from './resp.d.mts'

export interface RedisOptions {
  /** Default: a free one, with a free port for the Cluster bus. */
  readonly port?: number
  /** Kept by `dispose`. Default: a temporary folder that `dispose` removes. */
  readonly dir?: string
  /** Flags of redis-server, such as `['--appendonly', 'yes']`. Without them nothing is kept over a restart. */
  readonly args?: readonly (string | number)[]
  /** Asked of clients (`requirepass`) and used for replication. */
  readonly password?: string
  /** In a process group of its own, so that a Ctrl-C at the terminal does not reach it. */
  readonly detached?: boolean
}

export interface RedisProcess {
  readonly port: number
  readonly dir: string
  /** Undefined while it does not run. */
  readonly pid: number | undefined
  readonly state: 'running' | 'paused' | 'stopped'
  /** `redis://127.0.0.1:port/0` */
  readonly url: string
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** Starts it again on the same port with the same folder and flags, after `kill` or `stop`; stops it first if it runs. */
  restart(): Promise<void>
  /** One command over a connection of its own; the reply as redis-cli prints it, an array as lines. Rejects with an error reply. */
  command(...args: readonly (string | number | Buffer)[]): Promise<string>
  /** The same, with the reply as it is. */
  request(...args: readonly (string | number | Buffer)[]): Promise<Reply>
  /** It goes on when this process ends. */
  leaveRunning(): void
  dispose(): Promise<void>
}

/** Resolves when it answers. Rejects with its last log lines if it ends before, or with how to install Redis. */
export function startRedis(options?: RedisOptions): Promise<RedisProcess>
