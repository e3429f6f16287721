/** A real gRPC server over scripted services, on the transport that the tests run over, and a client of raw bytes. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { type AdminParts, createAdminHandlers } from '../../src/api/admin-handlers.ts'
import type { EdgeCertificate } from '../../src/api/edge-certificate.ts'
import { createGrpcServer, type GrpcLimits, type GrpcServer } from '../../src/api/grpc/server.ts'
import { createOfflineHandlers } from '../../src/api/offline-handlers.ts'
import type { OfflineParts, OfflineSettings } from '../../src/api/offline-parts.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { grpcLimits } from '../../src/config/slices/grpc.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView, Registry } from '../../src/domain/registry.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Dataset, OfflineStore } from '../../src/offline/offline-store.ts'
import type { ParityMonitor } from '../../src/parity/parity-monitor.ts'
import type { ServingService } from '../../src/serving/serving-service.ts'
import type { WriteService } from '../../src/writing/write-service.ts'
import { TRANSPORT } from '../support/transport.ts'

export const FINGERPRINT = 'f'.repeat(32)

function view(parts: Pick<FeatureView, 'name' | 'joinKeys' | 'features'> & Partial<FeatureView>): FeatureView {
  return {
    version: 1,
    entities: ['e'],
    schemaId: 1,
    schemaFeatureCounts: [parts.features.length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
    ...parts,
  }
}

const airport = view({
  name: 'airport_daily',
  joinKeys: [{ name: 'airport', type: 'string' }],
  features: [
    { name: 'mean_delay', type: { kind: 'double' } },
    { name: 'flights', type: { kind: 'int64' } },
    { name: 'seen_at', type: { kind: 'timestamp' } },
    { name: 'raw', type: { kind: 'bytes' } },
    { name: 'embedding', type: { kind: 'vector', length: 3 } },
    { name: 'tags', type: { kind: 'list', of: 'string' } },
  ],
  source: { sql: 'SELECT 1', files: [{ name: 'flights.parquet', location: 'flights.parquet', format: 'parquet' }] },
})

const route = view({
  name: 'route_daily',
  joinKeys: [
    { name: 'destination', type: 'string' },
    { name: 'origin', type: 'string' },
  ],
  features: [{ name: 'max_delay', type: { kind: 'double' } }],
})

const gate = view({
  name: 'gate_status',
  joinKeys: [{ name: 'gate', type: 'int64' }],
  features: [{ name: 'closed', type: { kind: 'bool' } }],
})

export const registry: Registry = {
  project: 'test',
  fingerprint: FINGERPRINT,
  entities: new Map(),
  views: new Map([airport, route, gate].map((each) => [each.name, each])),
  onDemandViews: new Map([
    [
      'delay_risk',
      {
        name: 'delay_risk',
        inputs: [{ view: 'airport_daily', as: 'airport_daily', joinKeyMap: {} }],
        request: [{ name: 'scheduled_hour', type: { kind: 'double' } }],
        features: [{ name: 'risk', type: { kind: 'double' } }],
      },
    ],
  ]),
  services: new Map([
    [
      'predict_delay',
      {
        name: 'predict_delay',
        members: [
          { kind: 'view', use: { view: 'airport_daily', as: 'origin_airport', joinKeyMap: { airport: 'origin' } } },
          { kind: 'view', use: { view: 'route_daily', as: 'route', joinKeyMap: { origin: 'origin' } } },
        ],
      },
    ],
    [
      'two_kinds',
      {
        name: 'two_kinds',
        members: [
          { kind: 'view', use: { view: 'airport_daily', as: 'airport_daily', joinKeyMap: {} } },
          { kind: 'view', use: { view: 'gate_status', as: 'gate_status', joinKeyMap: {} } },
        ],
      },
    ],
    ['risky', { name: 'risky', members: [{ kind: 'onDemand', view: 'delay_risk' }] }],
  ]),
}

export const limits: GrpcLimits = {
  messageBytesMax: 1024 * 1024,
  streamsMax: 100,
  streamWindow: 4,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  lean: { ...grpcLimits(loadConfig({ flags: {}, environment: {} })).lean, answerBuffersBytes: 1024 * 1024 },
}

export const settings: OfflineSettings = {
  clock: systemClock,
  chunkBytes: 256 * 1024,
  progressIntervalMs: 0,
  spineBytesMax: 1024 * 1024,
  historyRowsMax: 1000,
  exportEntitiesMax: 10,
  datasetKeepMs: 0,
  datasetKeepBytesMax: 1024 ** 3,
}

const upkeep = {
  compaction: { targetBytes: 1000, filesMin: 8, runBytesMax: 10_000, batchFilesMax: 10 },
  vacuum: { ageMs: 1, filesMax: 10 },
}

/** A store or service of which a test scripts only what it calls; anything else fails the test. */
export function scripted<T extends object>(members: Partial<T>): T {
  return new Proxy(members as T, {
    get(target, name) {
      if (name in target) return target[name as keyof T]
      throw new Error(`the test did not script ${String(name)}`)
    },
  })
}

export interface Script {
  readonly address?: string
  readonly getFeatures?: ServingService['getFeatures']
  readonly writeFeatures?: WriteService['writeFeatures']
  readonly offline?: Partial<OfflineStore>
  readonly offlineParts?: Partial<OfflineParts>
  readonly adminParts?: Partial<AdminParts>
  readonly settings?: Partial<OfflineSettings>
  readonly limits?: Partial<GrpcLimits>
  readonly certificate?: EdgeCertificate
}

export interface Edge {
  readonly server: GrpcServer
  readonly address: string
  readonly client: Client
  readonly spoolDir: string
  /** Errors that were handed to the log. */
  readonly logged: readonly { readonly error: TwinstoreError; readonly method: string }[]
  /** Calls that ended, with the gRPC status code. */
  readonly ended: readonly { readonly method: string; readonly code: number }[]
  readonly flushes: readonly (readonly string[] | undefined)[]
  /** Connections that were ended or not made, by why. */
  readonly connectionFaults: readonly string[]
  spooledFiles(): Promise<string[]>
  /** A data set in the spool folder with this content. */
  dataset(content: Buffer, more?: Partial<Dataset>): Promise<Dataset>
  close(): Promise<void>
}

export async function startEdge(script: Script = {}): Promise<Edge> {
  const spoolDir = await mkdtemp(join(tmpdir(), 'twinstore-grpc-'))
  const logged: { error: TwinstoreError; method: string }[] = []
  const ended: { method: string; code: number }[] = []
  const flushes: (readonly string[] | undefined)[] = []
  const connectionFaults: string[] = []
  const offline = scripted<OfflineStore>(script.offline ?? {})
  const definitions = { current: { registry, computes: new Map() } }
  const server = await createGrpcServer({
    transport: TRANSPORT,
    address: script.address ?? '127.0.0.1:0',
    serving: scripted<ServingService>(script.getFeatures ? { getFeatures: script.getFeatures } : {}),
    writes: scripted<WriteService>(script.writeFeatures ? { writeFeatures: script.writeFeatures } : {}),
    offline: createOfflineHandlers({
      definitions,
      offline,
      archiver: { flush: async (_signal, storageIds) => void flushes.push(storageIds) },
      snapshots: {
        load: async (fingerprint) => {
          throw new TwinstoreError('NOT_FOUND', `no definitions with fingerprint ${fingerprint}`)
        },
      },
      resolveSourceFile: async (file) => `/sources/${file.location}`,
      spoolDir,
      bundleFile: () => undefined,
      settings: { ...settings, ...script.settings },
      ...script.offlineParts,
    }),
    admin: createAdminHandlers({
      definitions,
      offline,
      online: { health: async () => undefined, outboxDepth: async () => ({ rows: 3, bytes: 300 }) },
      archiver: {
        status: () => ({ failures: 0, blocked: [], unreachable: [], rowsSetAside: 0 }),
        flush: async (_signal, storageIds) => void flushes.push(storageIds),
      },
      statistics: scripted({}),
      syncer: scripted({}),
      parity: scripted<Pick<ParityMonitor, 'compare' | 'status'>>({ status: async () => [] }),
      syncStates: async () => [],
      cache: () => ({ entries: 1, bytes: 2, bytesMax: 3, hits: 4, misses: 5, invalidations: 6 }),
      clock: systemClock,
      version: '1.2.3',
      settings: { outboxRowsMax: 10, outboxBytesMax: 20, progressIntervalMs: 0, upkeep },
      ...script.adminParts,
    }),
    limits: { ...limits, ...script.limits },
    certificate: script.certificate,
    clock: systemClock,
    onError: (error, method) => logged.push({ error, method }),
    onEnded: (method, code) => ended.push({ method, code }),
    onConnectionFault: (problem) => connectionFaults.push(problem),
  })
  const address = await server.start()
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_send_message_length': -1,
  })
  return {
    server,
    address,
    client,
    spoolDir,
    logged,
    ended,
    flushes,
    connectionFaults,
    spooledFiles: () => readdir(spoolDir),
    dataset: (content, more) => datasetFile(spoolDir, content, more),
    async close() {
      client.close()
      server.close()
      await rm(spoolDir, { recursive: true, force: true })
    },
  }
}

async function datasetFile(dir: string, content: Buffer, more: Partial<Dataset> = {}): Promise<Dataset> {
  const path = join(dir, `dataset-${randomUUID()}`)
  await writeFile(path, content)
  return {
    path,
    bytes: content.length,
    rows: 1,
    sha256: createHash('sha256').update(content).digest('hex'),
    columns: [{ name: 'airport', type: 'VARCHAR' }],
    engine: 'test 1',
    dispose: () => rm(path, { force: true }),
    ...more,
  }
}

const passThrough = (bytes: Buffer): Buffer => bytes

export function unary(client: Client, path: string, request: Buffer, deadlineMs = 30_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + deadlineMs
    client.makeUnaryRequest(path, passThrough, passThrough, request, { deadline }, (error, answer) => {
      if (error === null) resolve(answer!)
      else reject(error)
    })
  })
}

export function duplex(client: Client, path: string, deadlineMs = 30_000) {
  return client.makeBidiStreamRequest(path, passThrough, passThrough, { deadline: Date.now() + deadlineMs })
}

export function serverStream(client: Client, path: string, request: Buffer, deadlineMs = 30_000) {
  const options = { deadline: Date.now() + deadlineMs }
  return client.makeServerStreamRequest(path, passThrough, passThrough, request, options)
}

/** The failure of something that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<ServiceError> {
  return work.then(
    () => {
      throw new Error('expected a failure')
    },
    (error: ServiceError) => error,
  )
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** A promise settled from outside. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
