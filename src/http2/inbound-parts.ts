/** What the receiving half works with; the connection's other parts know nothing of it. */
import type { ConnectionEvents, ConnectionLimits } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { GracefulEnd } from './graceful-end.ts'
import type { Liveness } from './liveness.ts'
import type { Output } from './output.ts'
import type { Sender } from './sender.ts'
import type { StreamFaults } from './stream-faults.ts'
import type { StreamTable } from './stream-table.ts'

export interface InboundParts {
  readonly limits: ConnectionLimits
  readonly events: ConnectionEvents
  readonly guard: FloodGuard
  readonly table: StreamTable
  readonly faults: StreamFaults
  readonly sender: Sender
  readonly output: Output
  readonly liveness: Liveness
  readonly gracefulEnd: GracefulEnd
}
