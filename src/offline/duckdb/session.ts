/**
 * One in-memory DuckDB instance with one connection: what a job works with. It is made for a job and closed after it, so that
 * memory, temporary tables and settings never pass from one job to the next.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { EngineLimits } from '../table-jobs.ts'
import { mapDuckdbError } from './duckdb-errors.ts'

/**
 * How often a cancelled statement is interrupted again. An interrupt that arrives before DuckDB has begun the statement
 * is forgotten when it begins, so that one is not enough.
 */
const INTERRUPT_INTERVAL_MS = 20

export type SqlRow = Readonly<Record<string, DuckDBValue>>

export interface StatementOptions {
  /** Whose SQL it is, where it is a user's: its faults are then INVALID_ARGUMENT and begin with these words. */
  readonly subject?: string
}

/** Statements reject with CANCELLED once the signal aborts, and with a `TwinstoreError` in every case. */
export interface Session {
  /** For what the functions below do not do (appenders, scalar functions); pass its errors through `mapDuckdbError`. */
  readonly connection: DuckDBConnection
  run(sql: string, options?: StatementOptions): Promise<void>
  /** All rows of a small result. */
  rows(sql: string, options?: StatementOptions): Promise<readonly SqlRow[]>
  /** A result of any size, chunk by chunk; DuckDB computes no further than it is read. */
  stream(sql: string, options?: StatementOptions): AsyncIterable<DuckDBDataChunk>
  close(): Promise<void>
}

export async function openSession(limits: EngineLimits, clock: Clock, signal?: AbortSignal): Promise<Session> {
  const spillDir = join(limits.spillDir, randomUUID())
  await mkdir(spillDir, { recursive: true })
  const { instance, connection } = await connect(limits, spillDir).catch(async (error: unknown) => {
    await rm(spillDir, { recursive: true, force: true })
    throw mapDuckdbError(error)
  })

  const guarded = async <T>(work: () => Promise<T>, subject?: string): Promise<T> => {
    if (signal?.aborted) throw cancelled()
    const interruption = interruptOnAbort(connection, clock, signal)
    try {
      return await work()
    } catch (error) {
      throw mapDuckdbError(error, subject)
    } finally {
      interruption.stop()
    }
  }

  return {
    connection,
    run: (sql, options) => guarded(async () => void (await connection.run(sql)), options?.subject),
    rows: (sql, options) =>
      guarded(async () => (await connection.runAndReadAll(sql)).getRowObjects(), options?.subject),
    async *stream(sql, options) {
      const result = await guarded(() => connection.stream(sql), options?.subject)
      for (;;) {
        const chunk = await guarded(() => result.fetchChunk(), options?.subject)
        if (chunk === null || chunk.rowCount === 0) return
        yield chunk
      }
    },
    async close() {
      connection.closeSync()
      instance.closeSync()
      await rm(spillDir, { recursive: true, force: true })
    },
  }
}

async function connect(limits: EngineLimits, spillDir: string) {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${limits.memoryBytes}B`,
    threads: String(limits.threads),
    temp_directory: spillDir,
    max_temp_directory_size: `${limits.spillBytesMax}B`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  return { instance, connection }
}

function cancelled(): TwinstoreError {
  return new TwinstoreError('CANCELLED', 'the work was cancelled')
}

function interruptOnAbort(connection: DuckDBConnection, clock: Clock, signal: AbortSignal | undefined) {
  let timer: { cancel(): void } | undefined
  const interrupt = () => {
    connection.interrupt()
    timer = clock.after(INTERRUPT_INTERVAL_MS, interrupt)
  }
  signal?.addEventListener('abort', interrupt, { once: true })
  return {
    stop() {
      signal?.removeEventListener('abort', interrupt)
      timer?.cancel()
    },
  }
}
