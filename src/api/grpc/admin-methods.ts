/** The `Admin` service: converts messages, nothing else. */
import type { ServiceMethods } from '../../grpc/method.ts'
import type { SyncState } from '../../writing/sync-states.ts'
import type { AdminHandlers, SyncEvent, SyncRequest } from '../admin-handlers.ts'
import { compactMethod } from './compact-method.ts'
import { decodeParityRequest, encodeParityEvents, parityStatusMessage } from './parity-messages.ts'
import { messageCodec } from './protocol.ts'
import { type StatisticsMessage, statisticsCall, viewMessage } from './statistics-messages.ts'

const describeRequest = messageCodec('DescribeRequest')
const describeResponse = messageCodec('DescribeResponse')
const syncRequest = messageCodec<SyncRequest>('SyncRequest')
const syncResponse = messageCodec('SyncResponse')
const statisticsRequest = messageCodec<StatisticsMessage>('StatisticsRequest')
const statisticsResponse = messageCodec('StatisticsResponse')
const statusRequest = messageCodec('StatusRequest')
const statusResponse = messageCodec('StatusResponse')

export function adminMethods(handlers: AdminHandlers): ServiceMethods {
  return {
    Describe: {
      kind: 'unary',
      handle: (request) => {
        describeRequest.decode(request)
        return describeResponse.encode(handlers.describe())
      },
    },
    Sync: {
      kind: 'serverStream',
      handle: (request, call) => encoded(handlers.sync(syncRequest.decode(request), call)),
    },
    Parity: {
      kind: 'serverStream',
      handle: (request, call) => encodeParityEvents(handlers.parity(decodeParityRequest(request), call)),
    },
    Statistics: {
      kind: 'unary',
      handle: async (request, call) => {
        const documents = await handlers.statistics(statisticsCall(statisticsRequest.decode(request)), call)
        return statisticsResponse.encode({ views: documents.map(viewMessage) })
      },
    },
    Status: {
      kind: 'unary',
      handle: async (request) => {
        statusRequest.decode(request)
        const status = await handlers.status()
        const tables = status.tables.map((table) => ({ ...table, version: table.tableVersion }))
        return statusResponse.encode({
          ...status,
          tables,
          syncs: status.syncs.map(syncMessage),
          parity: status.parity.map(parityStatusMessage),
        })
      },
    },
    ...compactMethod(handlers),
  }
}

async function* encoded(events: AsyncIterable<SyncEvent>): AsyncGenerator<Buffer> {
  for await (const event of events) yield syncResponse.encode(eventMessage(event))
}

function eventMessage(event: SyncEvent): object {
  switch (event.kind) {
    case 'progress':
      return { progress: { view: event.view, progress: event.progress } }
    case 'result':
      return { result: event.result }
    case 'failure':
      return { failure: { view: event.view, code: event.error.code, message: event.error.message } }
  }
}

function syncMessage(state: SyncState): object {
  return {
    ...state,
    lastSuccessMicros: micros(state.last?.beganMs),
    lastSeconds: state.last?.seconds,
    nextDueMicros: micros(state.nextDueMs),
    lastError: state.failure?.error,
    lastErrorMicros: micros(state.failure?.beganMs),
  }
}

function micros(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1000)
}
