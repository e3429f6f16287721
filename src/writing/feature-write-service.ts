/** The write path behind the edges: request bytes are checked, encoded, written, and answered in bytes. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { viewNamed } from '../domain/known-names.ts'
import { type FeatureView, onlineExtent, type Registry } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import { type WorkTurn, WorkTurns } from '../lib/work-turns.ts'
import type { RowWrite } from '../online/online-store.ts'
import { planColumns } from './column-plan.ts'
import { FaultList } from './fault-list.ts'
import type { FeatureWriter } from './feature-writer.ts'
import { RowEncoder } from './row-encoder.ts'
import type { WriteLimits } from './write-limits.ts'
import { contentHash, readWriteRequest, type WriteRequest } from './write-request.ts'
import { encodeWriteResponse } from './write-response.ts'
import type { WriteService } from './write-service.ts'

/** As the proto file states it; not a setting, because every store must be able to hold it. */
const WRITE_ID_LENGTH_MAX = 128

export interface WriteServiceParts {
  readonly writer: FeatureWriter
  readonly definitions: DefinitionsSource
  readonly clock: Pick<Clock, 'nowMicros' | 'monotonicMs'>
  readonly limits: WriteLimits
}

export function createWriteService({ writer, definitions, clock, limits }: WriteServiceParts): WriteService {
  const turns = new WorkTurns(clock, limits.turnMsMax)
  return {
    async writeFeatures(bytes, signal) {
      const turn = turns.begin()
      const request = readWriteRequest(bytes, limits.rowsMax)
      const view = viewOf(definitions.current.registry, request.view)
      const rows = await encodeRows(view, request, clock.nowMicros(), limits, turn)
      const { writeId, ack } = request
      const extent = onlineExtent(view)
      const idempotency =
        writeId === '' ? {} : { idempotency: { writeId, contentHash: await contentHash(request, turn) } }
      const outcomes = await writer.write({ rows, ack, extent, ...idempotency }, signal)
      return encodeWriteResponse(outcomes)
    },
  }
}

/** The request's rows, ready to store; INVALID_ARGUMENT with every fault if there is any. */
export async function encodeRows(
  view: FeatureView,
  request: WriteRequest,
  nowMicros: number,
  limits: WriteLimits,
  turn: WorkTurn,
): Promise<RowWrite[]> {
  const faults = new FaultList()
  const rowCount = request.rowSpans.length / 2
  if (rowCount === 0) faults.add('rows', 'there are none; a write has at least one row')
  if (rowCount > limits.rowsMax) {
    // Checking rows that cannot be written anyway would make the largest requests the most expensive ones.
    faults.add('rows', `more than ${limits.rowsMax} (option write-rows-max); send them in several requests`)
    throw faults.error(summary(view))
  }
  if (request.writeId.length > WRITE_ID_LENGTH_MAX) {
    faults.add('write_id', `${request.writeId.length} characters, more than ${WRITE_ID_LENGTH_MAX}`)
  }
  const targets = planColumns(view, request.columns, faults)
  const rows = await new RowEncoder(view, targets, limits, nowMicros, faults).encode(request, turn)
  if (faults.count > 0) throw faults.error(summary(view))
  return rows
}

function summary(view: FeatureView): string {
  return `nothing was written to ${view.name}:`
}

function viewOf(registry: Registry, name: string): FeatureView {
  if (name === '') throw new TwinstoreError('INVALID_ARGUMENT', 'the request names no view (field `view`)')
  return viewNamed(registry, name)
}
