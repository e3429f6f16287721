/**
 * Stands in for a Feast server: its gRPC and its HTTP over real sockets, answering from the seeded table as Feast's servers do, the
 * join key first. Written from Feast's protocol and not from the benchmark's reading of it, with fields that the benchmark
 * does not know. A test says what is to be wrong with the answers.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { Server, status } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { featureName, seededValue } from '../../bench/lib/matrix-data.mjs'
import { boundPort } from './grpc-js-port.ts'

export interface Column {
  name: string
  values: (number | null)[]
  statuses: string[]
}

export interface StandIn {
  /** `grpc://…` or `http://…`, as `--peer` takes it. */
  readonly address: string
  /** What is wrong from now on: the columns of right answers are changed, or the call fails, or the bytes are these. */
  tamper(change: (columns: Column[]) => Column[] | Buffer): void
  close(): Promise<void>
}

/** What a server says when it refuses: thrown by a `tamper`. */
export class Refusal extends Error {}

const PROTOCOL = protobuf.parse(`
  syntax = "proto3";
  package feast;
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
  message Value { oneof val { string string_val = 2; int64 int64_val = 4; float float_val = 6; bool bool_val = 7; } }
  message RepeatedValue { repeated Value val = 1; }
  message FeatureList { repeated string val = 1; }
  message GetOnlineFeaturesRequest {
    oneof kind { string feature_service = 1; FeatureList features = 2; }
    map<string, RepeatedValue> entities = 3;
    bool full_feature_names = 4;
  }
  message GetOnlineFeaturesResponse {
    message FeatureVector { repeated Value values = 1; repeated FieldStatus statuses = 2; repeated Timestamp event_timestamps = 3; }
    message Metadata { FeatureList feature_names = 1; }
    Metadata metadata = 1;
    repeated FeatureVector results = 2;
    bool status = 3;
  }
  enum FieldStatus { INVALID = 0; PRESENT = 1; NULL_VALUE = 2; NOT_FOUND = 3; OUTSIDE_MAX_AGE = 4; }
`).root
const Request = PROTOCOL.lookupType('feast.GetOnlineFeaturesRequest')
const Response = PROTOCOL.lookupType('feast.GetOnlineFeaturesResponse')

/** A table's answer, changed as the test wants it. */
class Table {
  #change: (columns: Column[]) => Column[] | Buffer = (columns) => columns

  tamper(change: (columns: Column[]) => Column[] | Buffer): void {
    this.#change = change
  }

  answer(service: string, items: number[]): Column[] | Buffer {
    const features = Number(/^matrix_(\d+)$/.exec(service)?.[1])
    if (Number.isNaN(features)) throw new Refusal(`Feature service ${service} does not exist`)
    const column = (name: string, values: number[]): Column => ({ name, values, statuses: values.map(() => 'PRESENT') })
    return this.#change([
      column('item', items),
      ...Array.from({ length: features }, (_, feature) =>
        column(
          featureName(feature),
          items.map((item) => seededValue(item, feature)),
        ),
      ),
    ])
  }
}

/** `path` of the method: Feast's Go and Python servers have different ones. */
export async function startGrpcStandIn(path: string): Promise<StandIn> {
  const table = new Table()
  const server = new Server()
  const asIs = (bytes: Buffer): Buffer => bytes
  const bytes = {
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
  server.addService(
    { GetOnlineFeatures: { path, ...bytes } },
    {
      GetOnlineFeatures: (call: { request: Buffer }, reply: (error: object | null, answer?: Buffer) => void): void => {
        try {
          reply(null, grpcAnswer(table, call.request))
        } catch (error) {
          reply({ code: status.NOT_FOUND, details: (error as Error).message })
        }
      },
    },
  )
  const port = await boundPort(server)
  return {
    address: `grpc://127.0.0.1:${port}`,
    tamper: (change) => table.tamper(change),
    close: async () => server.forceShutdown(),
  }
}

function grpcAnswer(table: Table, request: Buffer): Buffer {
  const { featureService, entities } = Request.toObject(Request.decode(request), { longs: Number })
  const items = entities['item'].val.map(({ int64Val }: { int64Val: number }) => int64Val)
  const columns = table.answer(featureService, items)
  if (Buffer.isBuffer(columns)) return columns
  const message = Response.fromObject({
    metadata: { featureNames: { val: columns.map(({ name }) => name) } },
    results: columns.map(({ name, values, statuses }) => ({
      values: values.map((value) => (value === null ? {} : { [name === 'item' ? 'int64Val' : 'floatVal']: value })),
      statuses,
      eventTimestamps: values.map(() => ({ seconds: 1_640_991_600 })),
    })),
    status: true,
  })
  return Buffer.from(Response.encode(message).finish())
}

export async function startHttpStandIn(): Promise<StandIn> {
  const table = new Table()
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://stand-in')
    if (request.method !== 'POST' || url.pathname !== '/get-online-features') {
      response.writeHead(404).end('{"detail":"Not Found"}')
      return
    }
    const { feature_service, entities } = JSON.parse(String(await buffer(request)))
    try {
      const columns = table.answer(feature_service, entities.item)
      response.end(Buffer.isBuffer(columns) ? columns : httpAnswer(columns, url.searchParams.get('status') === 'true'))
    } catch (error) {
      // Feast's error body is a JSON string that holds JSON.
      response.writeHead(404).end(JSON.stringify(JSON.stringify({ message: (error as Error).message })))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tamper: (change) => table.tamper(change),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Feast's Go server leaves statuses out unless they are asked for, and prints a float32 in as few digits as will do. */
function httpAnswer(columns: readonly Column[], withStatuses: boolean): string {
  return JSON.stringify({
    metadata: { feature_names: columns.map(({ name }) => name) },
    results: columns.map(({ values, statuses }) => ({
      values: values.map((value) => (value === null ? null : shortest(value))),
      ...(withStatuses ? { statuses, event_timestamps: values.map(() => '2021-12-31T23:00:00Z') } : {}),
    })),
  })
}

function shortest(value: number): number {
  const texts = Array.from({ length: 9 }, (_, index) => Number(value.toPrecision(index + 1)))
  return texts.find((text) => Math.fround(text) === value) ?? value
}
