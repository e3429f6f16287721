/** A real HTTP edge over scripted services. */

import type { Status } from '../../src/api/admin-handlers.ts'
import { describe } from '../../src/api/describe.ts'
import type { HttpServerOptions } from '../../src/api/http/server.ts'
import { createHttpServer, type HttpLimits, type HttpServer } from '../../src/api/http/server.ts'
import { createOfflineHandlers } from '../../src/api/offline-handlers.ts'
import type { TwinstoreError } from '../../src/domain/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import type { ServingService } from '../../src/serving/serving-service.ts'
import type { WriteService } from '../../src/writing/write-service.ts'
import { registry, scripted, settings } from './grpc-fixture.ts'

export const httpLimits: HttpLimits = {
  bodyBytesMax: 1024 * 1024,
  headBytesMax: 8 * 1024,
  connectionsMax: 100,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  keepAliveMs: 20_000,
  stallTimeoutMs: 20_000,
}

export interface HttpScript {
  readonly getFeatures?: ServingService['getFeatures']
  readonly writeFeatures?: WriteService['writeFeatures']
  readonly offline?: Partial<OfflineStore>
  readonly spoolDir?: string
  readonly status?: () => Promise<Status>
  readonly limits?: Partial<HttpLimits>
  readonly options?: Partial<HttpServerOptions>
  readonly settings?: Partial<typeof settings>
}

export interface HttpEdge {
  readonly server: HttpServer
  readonly address: string
  /** Errors that were handed to the log. */
  readonly logged: readonly { readonly error: TwinstoreError; readonly route: string }[]
  readonly ended: readonly { readonly route: string; readonly status: number }[]
  close(): void
}

export async function startHttpEdge(script: HttpScript = {}): Promise<HttpEdge> {
  const logged: { error: TwinstoreError; route: string }[] = []
  const ended: { route: string; status: number }[] = []
  const definitions = { current: { registry, computes: new Map() } }
  const server = createHttpServer({
    address: '127.0.0.1:0',
    definitions,
    serving: scripted<ServingService>(script.getFeatures ? { getFeatures: script.getFeatures } : {}),
    writes: scripted<WriteService>(script.writeFeatures ? { writeFeatures: script.writeFeatures } : {}),
    offline: createOfflineHandlers({
      definitions,
      offline: scripted<OfflineStore>(script.offline ?? {}),
      archiver: { flush: async () => undefined },
      snapshots: scripted({}),
      resolveSourceFile: scripted({}),
      spoolDir: '/nowhere',
      bundleFile: () => undefined,
      settings: { ...settings, ...script.settings },
    }),
    admin: scripted({
      describe: () => describe(registry),
      ...(script.status === undefined ? {} : { status: script.status }),
    }),
    selections: { bytesMax: 1024 * 1024, featuresMax: 100 },
    answerBytesMax: 1024 * 1024,
    limits: { ...httpLimits, ...script.limits },
    clock: systemClock,
    onError: (error, route) => logged.push({ error, route }),
    onEnded: (route, status) => ended.push({ route, status }),
    onConnectionFault: () => undefined,
    ...script.options,
  })
  const address = await server.start()
  return { server, address, logged, ended, close: () => server.close() }
}
