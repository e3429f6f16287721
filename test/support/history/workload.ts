/**
 * Concurrent writers and readers of few keys through all instances.
 *
 * Event times move on slowly, so that most writes change what readers see, and ties and late rows are common. Every batch is sent
 * with its write id until it is acknowledged, to one instance or another; some are given up after a failure, some are sent
 * once more after they were acknowledged.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Instance, Life } from './instances.ts'
import { PendingWrite, type Row } from './pending-write.ts'
import { readKeys } from './read-keys.ts'
import type { Recorder } from './recorder.ts'

/** Some four for each of 16 shards, so that every shard has one. */
const KEYS = Array.from({ length: 64 }, (_, key) => key)
/** One of them waits for the offline store: while that is away it hangs, and the others go on. */
const WRITERS = 5
const READERS_PER_INSTANCE = 2
const KEYS_PER_READ = 6
const ROWS_PER_WRITE_MAX = 4
/** Between two operations of one client: its pace, so that two cores are enough for all. */
const THINK_MS = 20
const RETRY_MS = 50
/** Of failed attempts, how many are the last. */
const GIVEN_UP_SHARE = 0.15
const FIRST_EVENT_MICROS = BigInt(Date.UTC(2026, 0, 1)) * 1000n
const MINUTE_MICROS = 60_000_000n
const ROWS_PER_MINUTE = 25n

export class Workload {
  readonly #instances: readonly Instance[]
  readonly #recorder: Recorder
  readonly #random: () => number
  readonly #clients: Promise<unknown>
  #isStopping = false
  #attempts = 0n

  constructor(instances: readonly Instance[], recorder: Recorder, random: () => number) {
    this.#instances = instances
    this.#recorder = recorder
    this.#random = random
    const writers = Array.from({ length: WRITERS }, (_, index) => this.#write(index === 0 ? 'BOTH' : 'ONLINE'))
    const readers = instances.flatMap((instance) =>
      Array.from({ length: READERS_PER_INSTANCE }, () => this.#read(instance)),
    )
    this.#clients = Promise.all([...writers, ...readers])
    // Whoever waits for `stop` learns it.
    this.#clients.catch(() => undefined)
  }

  /** Everyone ends what is under way; rejects if a client failed in a way no client should. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#clients
  }

  /** Reads and writes every key once through each instance; whether all of that went well. */
  async serves(): Promise<boolean> {
    for (const { life } of this.#instances) {
      const reads = await this.#readAndKeep(life, KEYS, 'FRESH')
      if (reads.length < KEYS.length || reads.some((read) => read.status === 'UNAVAILABLE')) return false
      const write = new PendingWrite(
        KEYS.map((key) => this.#newRow(key)),
        'ONLINE',
        this.#recorder,
      )
      const code = await write.attempt(life)
      write.record()
      if (code !== 'OK') return false
    }
    return true
  }

  /** FRESH reads of every key through each instance. They are not recorded. */
  async readAll() {
    const reads = this.#instances.map(({ life }) => readKeys(this.#recorder, life, KEYS, 'FRESH'))
    return (await Promise.all(reads)).flat()
  }

  async #write(ack: 'ONLINE' | 'BOTH'): Promise<void> {
    while (!this.#isStopping) {
      const rows = Array.from({ length: 1 + this.#below(ROWS_PER_WRITE_MAX) }, () =>
        this.#newRow(KEYS[this.#below(KEYS.length)]!),
      )
      const write = new PendingWrite(rows, ack, this.#recorder)
      const life = await this.#send(write)
      if (life !== undefined && this.#random() < 0.1) await write.attempt(this.#anyInstance().life)
      write.record()
      if (life !== undefined && this.#random() < 0.3) {
        const keys = [...new Set(rows.map((row) => row.key))]
        await Promise.all([
          this.#readAndKeep(life, keys, 'CACHED'),
          this.#readAndKeep(this.#anyInstance().life, keys, 'FRESH'),
        ])
      }
      await this.#think()
    }
  }

  /** Resolves to who acknowledged it, or to undefined when it was given up. */
  async #send(write: PendingWrite): Promise<Life | undefined> {
    let instance = this.#anyInstance()
    do {
      const { life } = instance
      if ((await write.attempt(life)) === 'OK') return life
      await pause(RETRY_MS * (0.5 + this.#random()))
      if (this.#random() < 0.5) instance = this.#anyInstance()
    } while (this.#random() > GIVEN_UP_SHARE && !this.#isStopping)
    return undefined
  }

  async #read(instance: Instance): Promise<void> {
    while (!this.#isStopping) {
      const keys = Array.from({ length: KEYS_PER_READ }, () => KEYS[this.#below(KEYS.length)]!)
      await this.#readAndKeep(instance.life, [...new Set(keys)], this.#random() < 0.7 ? 'CACHED' : 'FRESH')
      await this.#think()
    }
  }

  async #readAndKeep(life: Life, keys: readonly number[], consistency: 'CACHED' | 'FRESH') {
    const reads = await readKeys(this.#recorder, life, keys, consistency)
    for (const read of reads) this.#recorder.reads.push(read)
    return reads
  }

  #newRow(key: number): Row {
    const attempt = ++this.#attempts
    const minute = attempt / ROWS_PER_MINUTE - BigInt(this.#below(3))
    return { key, attempt, eventMicros: FIRST_EVENT_MICROS + minute * MINUTE_MICROS }
  }

  #anyInstance(): Instance {
    return this.#instances[this.#below(this.#instances.length)]!
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #think(): Promise<void> {
    return pause(THINK_MS * 2 * this.#random())
  }
}
