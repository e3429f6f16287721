/** Status: how the server and its stores are. */
import { plainParity, type ViewParityStatus } from './parity.ts'
import { decodeMessage, methodPath } from './protocol.ts'
import type { Transport } from './transport.ts'

export interface ServerStatus {
  readonly version: string
  readonly fingerprint: string
  readonly uptimeSeconds: number
  readonly outbox: {
    readonly rows: number
    readonly bytes: number
    readonly rowsMax: number
    readonly bytesMax: number
    readonly archiverError: string
  }
  readonly cache: {
    readonly entries: number
    readonly bytes: number
    readonly bytesMax: number
    readonly hits: number
    readonly misses: number
    /** Rows it was told of as changed, by writes through it and by what it heard. */
    readonly invalidations: number
  }
  readonly tables: readonly {
    readonly view: string
    /** -1: no table yet. */
    readonly version: number
    readonly rows: number
    readonly files: number
    readonly bytes: number
  }[]
  /** Of every view with a source. */
  readonly syncs: readonly ViewSyncStatus[]
  /** Of every view that is kept online. */
  readonly parity: readonly ViewParityStatus[]
  /** Empty when all is well. */
  readonly problems: readonly string[]
}

/** How a view's syncs go, as every instance knows it; what there is none of is undefined. */
export interface ViewSyncStatus {
  readonly view: string
  /** Undefined: by hand only. */
  readonly everySeconds: number | undefined
  /** Whether the instance that answers runs the view's schedule; of several instances one does. */
  readonly scheduledHere: boolean
  readonly running: boolean
  /** When the last sync that succeeded began, and how long it took. */
  readonly lastSuccess: Date | undefined
  readonly lastSeconds: number | undefined
  readonly nextDue: Date | undefined
  /** Of the newest sync, if it failed. */
  readonly lastError: string | undefined
  readonly lastErrorAt: Date | undefined
  readonly newestEvent: Date | undefined
  /** Age of the newest event timestamp. */
  readonly freshnessSeconds: number | undefined
  /** Undefined: values never expire. */
  readonly ttlSeconds: number | undefined
}

interface SyncStatusMessage {
  readonly view: string
  readonly everySeconds: number
  readonly scheduledHere: boolean
  readonly running: boolean
  readonly lastSuccessMicros: string
  readonly lastSeconds: number
  readonly nextDueMicros: string
  readonly lastError: string
  readonly lastErrorMicros: string
  readonly newestEventMicros: string
  readonly freshnessSeconds: number
  readonly ttlSeconds: number
}

export async function getStatus(transport: Transport): Promise<ServerStatus> {
  const answer = await transport.unary(methodPath('Admin', 'Status'), Buffer.alloc(0))
  const status = decodeMessage<Omit<ServerStatus, 'syncs'> & { readonly syncs: readonly SyncStatusMessage[] }>(
    'StatusResponse',
    answer,
  )
  const { archiverError, ...outbox } = status.outbox
  return {
    ...status,
    outbox: { ...counts(outbox), archiverError },
    cache: counts(status.cache),
    parity: status.parity.map(plainParity),
    tables: status.tables.map(({ view, ...table }) => ({ view, ...counts(table) })),
    syncs: status.syncs.map(plainSync),
  }
}

function plainSync(sync: SyncStatusMessage): ViewSyncStatus {
  const newestEvent = time(sync.newestEventMicros)
  return {
    view: sync.view,
    everySeconds: sync.everySeconds || undefined,
    scheduledHere: sync.scheduledHere,
    running: sync.running,
    lastSuccess: time(sync.lastSuccessMicros),
    lastSeconds: sync.lastSeconds || undefined,
    nextDue: time(sync.nextDueMicros),
    lastError: sync.lastError || undefined,
    lastErrorAt: time(sync.lastErrorMicros),
    newestEvent,
    freshnessSeconds: newestEvent && sync.freshnessSeconds,
    ttlSeconds: sync.ttlSeconds || undefined,
  }
}

function time(micros: string): Date | undefined {
  return micros === '0' ? undefined : new Date(Number(micros) / 1000)
}

/** proto-loader gives 64-bit counts as decimal strings. */
function counts<T extends Readonly<Record<string, number>>>(message: T): T {
  return Object.fromEntries(Object.entries(message).map(([name, count]) => [name, Number(count)])) as T
}
