/** Status: how the server and its stores are. */
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
  }
  readonly tables: readonly {
    readonly view: string
    /** -1: no table yet. */
    readonly version: number
    readonly rows: number
    readonly files: number
    readonly bytes: number
  }[]
  /** Empty when all is well. */
  readonly problems: readonly string[]
}

export async function getStatus(transport: Transport): Promise<ServerStatus> {
  const answer = await transport.unary(methodPath('Admin', 'Status'), Buffer.alloc(0))
  const status = decodeMessage<ServerStatus>('StatusResponse', answer)
  const { archiverError, ...outbox } = status.outbox
  return {
    ...status,
    outbox: { ...counts(outbox), archiverError },
    cache: counts(status.cache),
    tables: status.tables.map(({ view, ...table }) => ({ view, ...counts(table) })),
  }
}

/** proto-loader gives 64-bit counts as decimal strings. */
function counts<T extends Readonly<Record<string, number>>>(message: T): T {
  return Object.fromEntries(Object.entries(message).map(([name, count]) => [name, Number(count)])) as T
}
