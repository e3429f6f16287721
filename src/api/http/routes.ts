/** Every path of the edge, with what its handler takes and gives: converted, and nothing else. */
import type { DefinitionsSource } from '../../domain/definitions-source.ts'
import type { Caller, ServingService } from '../../serving/serving-service.ts'
import type { WriteService } from '../../writing/write-service.ts'
import type { AdminHandlers } from '../admin-handlers.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import { type Download, openDownload, resumedCall } from './export-download.ts'
import { exportOfBody, exportOfQuery } from './export-request.ts'
import { featureAnswerJson } from './feature-answer.ts'
import { readFeatureRequest } from './feature-request.ts'
import { plainJson } from './plain-json.ts'
import { createSelectionCache, type SelectionCacheOptions } from './selection.ts'
import type { HttpFault } from './status.ts'
import { readWriteRequest, writeAnswerJson } from './write-messages.ts'

/** The part of a request that handlers look at. */
export interface HttpRequest {
  /** Empty without one. */
  readonly body: Buffer
  /** The path and what follows it. */
  readonly url: string
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

interface RouteBase {
  readonly method: 'GET' | 'POST'
  readonly path: string
}

/** `handle` gives JSON text; at once where it can. */
export interface JsonRoute extends RouteBase {
  readonly kind: 'json'
  readonly leavesTimeToAnswer?: boolean
  handle(request: HttpRequest, caller: Caller): string | Promise<string>
}

export interface DownloadRoute extends RouteBase {
  readonly kind: 'download'
  handle(request: HttpRequest, caller: Caller): Promise<Download | { readonly fault: HttpFault }>
}

/** Answered while the server drains too, and without a deadline. */
export interface HealthRoute extends RouteBase {
  readonly kind: 'health'
  /** Whether it is about being ready for requests, and not only alive. */
  readonly ready: boolean
}

export type Route = JsonRoute | DownloadRoute | HealthRoute

export interface RouteParts {
  readonly definitions: DefinitionsSource
  readonly serving: ServingService
  readonly writes: WriteService
  readonly offline: Pick<OfflineHandlers, 'exportFeatures'>
  readonly admin: Pick<AdminHandlers, 'describe' | 'status'>
  readonly selections: SelectionCacheOptions
  /** The largest answer to GetFeatures, characters of JSON (option `http-answer-bytes-max`). */
  readonly answerBytesMax: number
}

export function httpRoutes(parts: RouteParts): readonly Route[] {
  const { admin } = parts
  return [
    { kind: 'json', method: 'POST', path: '/v1/get-features', handle: getFeatures(parts) },
    {
      kind: 'json',
      method: 'POST',
      path: '/v1/write-features',
      leavesTimeToAnswer: true,
      handle: writeFeatures(parts),
    },
    {
      kind: 'download',
      method: 'GET',
      path: '/v1/export-features',
      handle: (request, caller) => exportFeatures(parts, exportOfQuery(request.url), request, caller),
    },
    {
      kind: 'download',
      method: 'POST',
      path: '/v1/export-features',
      handle: async (request, caller) =>
        exportFeatures(parts, exportOfBody(request.body, parts.definitions.current.registry), request, caller),
    },
    { kind: 'json', method: 'GET', path: '/v1/describe', handle: () => plainJson(admin.describe()) },
    { kind: 'json', method: 'GET', path: '/v1/status', handle: async () => plainJson(await admin.status()) },
    { kind: 'health', method: 'GET', path: '/healthz', ready: true },
    { kind: 'health', method: 'GET', path: '/readyz', ready: true },
    { kind: 'health', method: 'GET', path: '/livez', ready: false },
  ]
}

function getFeatures({ definitions, serving, selections, answerBytesMax }: RouteParts): JsonRoute['handle'] {
  const selectionOf = createSelectionCache(definitions, selections)
  return ({ body }, caller) => {
    const { selection, bytes } = readFeatureRequest(body, selectionOf)
    const answer = serving.getFeatures(bytes, caller)
    return Buffer.isBuffer(answer)
      ? featureAnswerJson(answer, selection, answerBytesMax)
      : answer.then((later) => featureAnswerJson(later, selection, answerBytesMax))
  }
}

function writeFeatures({ definitions, writes }: RouteParts): JsonRoute['handle'] {
  return async ({ body }, { signal }) => {
    const request = await readWriteRequest(body, definitions.current.registry)
    return writeAnswerJson(await writes.writeFeatures(request, signal))
  }
}

async function exportFeatures(
  { offline }: RouteParts,
  asked: ReturnType<typeof exportOfQuery>,
  { range, ifRange }: HttpRequest,
  { signal }: Caller,
): Promise<Download | { readonly fault: HttpFault }> {
  const call = resumedCall(asked, range, ifRange)
  return openDownload(call, offline.exportFeatures(call, { signal }))
}
