/**
 * Runs the workers of a server: starts them, hands them connections in turn, starts another one for each that ends, and
 * ends when they all have.
 *
 * The supervisor opens no store. It holds the listening sockets (`connection-dealer.ts`) and passes changed keys from each worker to the others. The first worker starts alone, because it applies the
 * definitions and syncs; the rest serve what it applied. A supervisor that is killed takes the socket with it, and its
 * workers drain and end.
 */
import cluster, { type Worker } from 'node:cluster'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Invalidation } from '../online/online-store.ts'
import { ChangeQueue } from './change-queue.ts'
import { ConnectionDealer } from './connection-dealer.ts'
import { EDGES, type Edge, type FromWorker, type Ready, type ToWorker } from './messages.ts'
import { RestartBudget } from './restart-budget.ts'

export interface SupervisorOptions {
  readonly workers: number
  /** `host:port` of each edge that is served; port 0 takes a free one. */
  readonly addresses: Addresses
  /** Option `worker-restarts-max`. */
  readonly restartsMax: number
  /** Option `worker-changes-max`. */
  readonly changedKeysMax: number
  /** Option `worker-accepts-max`. */
  readonly untakenMax: number
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Called once, when all workers serve; the addresses with the real ports. */
  readonly onReady: (ready: Ready & { readonly addresses: Addresses }) => void
  /** What happens to workers, in lines for people. */
  readonly onEvent: (event: string) => void
}

/** gRPC is always served. */
export type Addresses = { readonly grpc: string } & { readonly [E in Edge]?: string }

export interface Supervisor {
  /** Lets every worker drain. */
  stop(): void
  /** Lets every worker read its certificates again; one that is about to start reads them anyway. */
  reload(): void
  /** Ends every worker at once. */
  kill(): void
  /**
   * The exit code when all have ended: 0 after `stop`, else that of a worker that failed and has said why. Rejects with
   * RESOURCE_EXHAUSTED when workers ended more often than `restartsMax`, with FAILED_PRECONDITION when the address is taken.
   */
  readonly ended: Promise<number>
}

export function startWorkers(options: SupervisorOptions): Supervisor {
  const group = new WorkerGroup(options)
  const { ended } = group
  return { stop: () => group.stop(), reload: () => group.reload(), kill: () => group.kill(), ended }
}

interface Member {
  readonly number: number
  readonly worker: Worker
  readonly changes: ChangeQueue
  serving: boolean
}

/** What a process exits with that a signal ended; the shell's own convention is not kept by Node. */
const EXIT_BY_SIGNAL = 1

class WorkerGroup {
  readonly ended: Promise<number>
  readonly #options: SupervisorOptions
  readonly #restarts: RestartBudget
  readonly #dealers: ReadonlyMap<Edge, ConnectionDealer>
  readonly #members = new Map<number, Member>()
  #end!: { resolve(exitCode: number): void; reject(error: TwinstoreError): void }
  /** What the first worker said, which holds for all. */
  #ready: Ready | undefined
  #announced = false
  #stopping = false
  #exitCode = 0
  #error: TwinstoreError | undefined
  /** With the real ports. */
  #addresses: Addresses

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#restarts = new RestartBudget(options.restartsMax)
    this.#addresses = options.addresses
    this.#dealers = new Map(
      EDGES.filter((edge) => options.addresses[edge] !== undefined).map((edge) => [
        edge,
        new ConnectionDealer(edge, options.untakenMax),
      ]),
    )
    this.ended = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    // Row keys are strings of any bytes, which JSON would make longer.
    cluster.setupPrimary({ serialization: 'advanced' })
    this.#fork(1)
  }

  stop(): void {
    this.#stopping = true
    this.#eachDealer((dealer) => dealer.close())
    for (const member of this.#members.values()) send(member.worker, { kind: 'stop' })
  }

  reload(): void {
    for (const { worker } of this.#members.values()) send(worker, { kind: 'reload' })
  }

  kill(): void {
    for (const { worker } of this.#members.values()) worker.process.kill('SIGKILL')
  }

  #fork(number: number): void {
    const worker = cluster.fork()
    const changes = new ChangeQueue(
      (changed, done) => send(worker, { kind: 'changed', changed }, done),
      this.#options.changedKeysMax,
    )
    const member: Member = { number, worker, changes, serving: false }
    this.#members.set(number, member)
    worker.on('message', (message: FromWorker) => this.#hear(member, message))
    worker.once('exit', (code: number | null, signal: string | null) => this.#exited(member, code, signal))
    // A process that cannot be started has no exit.
    worker.on('error', () => worker.process.pid === undefined && this.#exited(member, null, 'no process'))
  }

  #hear(member: Member, message: FromWorker): void {
    switch (message.kind) {
      case 'joined':
        this.#tellStart(member)
        break
      case 'changed':
        this.#relay(member.number, message.changed)
        break
      case 'ready':
        void this.#becameReady(member, message.ready)
        break
      case 'taken':
        this.#dealers.get(message.edge)?.taken(member.number, message.id)
        break
      case 'leaving':
        this.#eachDealer((dealer) => dealer.pass(member.number))
    }
  }

  #tellStart({ number, worker }: Member): void {
    send(worker, {
      kind: 'start',
      number,
      changedKeysMax: this.#options.changedKeysMax,
      ...(this.#ready === undefined ? {} : { definitions: this.#ready }),
    })
    // The one sent before the worker listened is lost.
    if (this.#stopping) send(worker, { kind: 'stop' })
  }

  #relay(from: number, changed: Invalidation): void {
    for (const { number, changes } of this.#members.values()) if (number !== from) changes.add(changed)
  }

  async #becameReady(member: Member, ready: Ready): Promise<void> {
    if (this.#ready === undefined) {
      this.#ready = ready
      await this.#listen()
      for (let number = 2; number <= this.#options.workers && !this.#stopping; number++) this.#fork(number)
    }
    // It may have ended while the address was taken.
    if (this.#stopping || this.#members.get(member.number) !== member) return
    member.serving = true
    this.#eachDealer((dealer, edge) =>
      dealer.add(member.number, ({ id, socket }, failed) => {
        const message: ToWorker = { kind: 'connection', edge, id }
        member.worker.send(message, socket, { keepOpen: true }, (error) => error !== null && failed())
      }),
    )
    const servingCount = [...this.#members.values()].filter(({ serving }) => serving).length
    if (this.#announced || servingCount < this.#options.workers) return
    this.#announced = true
    this.#options.onReady({ ...this.#ready, addresses: this.#addresses })
  }

  async #listen(): Promise<void> {
    try {
      const { addresses } = this.#options
      for (const [edge, dealer] of this.#dealers) {
        this.#addresses = { ...this.#addresses, [edge]: await dealer.listen(addresses[edge]!) }
      }
      if (this.#stopping) this.#eachDealer((dealer) => dealer.close())
    } catch (error) {
      this.#error = asTwinstoreError(error)
      this.stop()
    }
  }

  #exited(member: Member, code: number | null, signal: string | null): void {
    this.#members.delete(member.number)
    this.#eachDealer((dealer) => dealer.remove(member.number))
    const how = signal ?? `exit code ${code}`
    if (this.#stopping) {
      if (code !== 0) this.#failed(member, code, how)
    } else if (this.#ready === undefined) {
      this.#stopping = true
      this.#failed(member, code, how)
    } else this.#replace(member.number, how)
    if (this.#stopping && this.#members.size === 0) this.#finish()
  }

  #eachDealer(act: (dealer: ConnectionDealer, edge: Edge) => void): void {
    for (const [edge, dealer] of this.#dealers) act(dealer, edge)
  }

  #failed(member: Member, code: number | null, how: string): void {
    this.#exitCode ||= code ?? EXIT_BY_SIGNAL
    // A worker that exits with a code has said why.
    if (code === null) this.#options.onEvent(`worker ${member.number} was ended by ${how}`)
  }

  #replace(number: number, how: string): void {
    const { clock, restartsMax, onEvent } = this.#options
    // It may have committed rows and told nobody.
    this.#relay(number, 'all')
    if (this.#restarts.spend(clock.monotonicMs())) {
      onEvent(`worker ${number} ended (${how}): starting another`)
      this.#fork(number)
      return
    }
    this.#error = new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `worker ${number} ended (${how}) after workers were started anew ${restartsMax} times within a minute, which is the limit worker-restarts-max: see above why they ended`,
    )
    this.stop()
  }

  #finish(): void {
    if (this.#error === undefined) this.#end.resolve(this.#exitCode)
    else this.#end.reject(this.#error)
  }
}

/** With a callback a channel that is closed is no error: the worker is ending, and `exit` says so. */
function send(worker: Worker, message: ToWorker, done: () => void = () => undefined): void {
  worker.send(message, undefined, undefined, done)
}
