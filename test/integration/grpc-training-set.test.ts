import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { status } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import type { Manifest, Pin, TrainingSetRequest } from '../../src/offline/offline-store.ts'
import { refused } from '../support/call-failure.ts'
import { collect, duplex, type Edge, FINGERPRINT, registry, type Script, startEdge } from './grpc-fixture.ts'

const PATH = '/twinstore.v1.Offline/GetTrainingSet'

let edge: Edge
let client: ReturnType<typeof connect>
async function start(script: Script): Promise<Edge> {
  edge = await startEdge(script)
  client = connect(edge.address)
  return edge
}
afterEach(async () => {
  client.close()
  await edge.close()
})

const pin: Pin = {
  pinFormat: 1,
  service: 'predict_delay',
  fingerprint: FINGERPRINT,
  mode: 'AS_SERVED',
  format: 'csv',
  timestampColumn: 'date',
  tables: { airport_daily: 4, route_daily: -1 },
  spine: { sha256: '1'.repeat(64), rows: 3 },
  output: { sha256: '2'.repeat(64), rows: 3 },
  engine: 'duckdb 1',
}

function manifestOf(made: Pin): Manifest {
  return {
    ...made,
    manifestFormat: 1,
    createdAt: '2026-01-01T00:00:00.000000Z',
    spine: {
      ...made.spine,
      fromTimestamp: '2001-01-01T00:00:00.000000Z',
      untilTimestamp: '2001-06-30T00:00:00.000000Z',
    },
    output: { ...made.output, bytes: 4, columns: [] },
    historyFrom: {},
    features: [{ column: 'delay_risk__risk', view: 'delay_risk', feature: 'risk', nullRate: 0.25 }],
  }
}

/** A store that keeps what it was asked and the spine's bytes, and makes a data set with this pin. */
function joining(made: Partial<Pin> = {}) {
  const asked: { request: TrainingSetRequest; spine: Buffer | undefined }[] = []
  const offline: Script['offline'] = {
    async trainingSet(_service, request) {
      const spine = await readFile(request.spineFile).catch(() => undefined)
      asked.push({ request, spine })
      const pinned = { ...pin, ...made }
      return { ...(await edge.dataset(Buffer.from('made'), { rows: 3 })), pin: pinned, manifest: manifestOf(pinned) }
    },
  }
  return { asked, offline }
}

async function* spineOf(...parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts
}

test('a spine is sent in pieces, joined, and the answer ends with its pin and manifest', async () => {
  const { asked, offline } = joining()
  await start({ offline })
  const spine = [Buffer.alloc(700_000, 1), Buffer.alloc(10, 2)]
  const dataset = await client.trainingSet({
    service: 'predict_delay',
    spine: spineOf(...spine),
    spineFormat: 'csv',
    timestampColumn: 'date',
    mode: 'AS_SERVED',
    format: 'csv',
  })
  expect(Buffer.concat(await collect(dataset)).toString()).toBe('made')
  expect(JSON.parse(dataset.trailer!.pinJson!)).toEqual(pin)
  expect(JSON.parse(dataset.trailer!.manifestJson!)).toEqual(manifestOf(pin))
  expect(dataset.info.tableVersions).toEqual(pin.tables)
  const { request, spine: received } = asked[0]!
  expect(received!.equals(Buffer.concat(spine))).toBe(true)
  expect(request).toMatchObject({
    spineFormat: 'csv',
    timestampColumn: 'date',
    mode: 'AS_SERVED',
    format: 'csv',
    registry,
  })
  expect(request.tableVersions).toBeUndefined()
  expect(edge.flushes).toEqual([['airport_daily', 'route_daily']])
  expect(await edge.spooledFiles()).toEqual([])
})

test('a source file of the definitions can be the spine', async () => {
  const { asked, offline } = joining()
  await start({ offline })
  const ask = (source: string) =>
    client.trainingSet({ service: 'predict_delay', spine: { source }, timestampColumn: 'date' })
  await collect(await ask('flights.parquet'))
  expect(asked[0]!.request).toMatchObject({ spineFile: '/sources/flights.parquet', spineFormat: 'parquet' })
  const [code, message] = await refused(ask('flihgts.parquet'))
  expect(code).toBe('NOT_FOUND')
  expect(message).toContain('did you mean flights.parquet?')
})

test('a pin says what to join, at its table versions, without a flush', async () => {
  const { asked, offline } = joining()
  await start({ offline })
  const pinned = { service: 'predict_delay', pinJson: JSON.stringify(pin) }
  await collect(await client.trainingSet({ ...pinned, spine: spineOf(Buffer.from('s')) }))
  expect(asked[0]!.request).toMatchObject({
    timestampColumn: 'date',
    mode: 'AS_SERVED',
    format: 'csv',
    tableVersions: pin.tables,
  })
  expect(edge.flushes).toEqual([])
  const manifestJson = JSON.stringify(manifestOf(pin))
  await collect(await client.trainingSet({ ...pinned, pinJson: manifestJson, spine: spineOf(Buffer.from('s')) }))
  expect(asked[1]!.request).toMatchObject({ tableVersions: pin.tables, mode: 'AS_SERVED' })
  const contrary = client.trainingSet({ ...pinned, spine: spineOf(Buffer.from('s')), mode: 'EVENT_TIME' })
  const [code, message] = await refused(contrary)
  expect(code).toBe('INVALID_ARGUMENT')
  expect(message).toContain('spec.mode: EVENT_TIME, but the pin says AS_SERVED')
})

test('a pin of earlier definitions is joined with those', async () => {
  const { asked, offline } = joining()
  const earlier = { ...registry, fingerprint: 'e'.repeat(32) }
  await start({
    offline,
    offlineParts: {
      snapshots: {
        load: async (fingerprint) => {
          expect(fingerprint).toBe(earlier.fingerprint)
          return { definitions: { registry: earlier, computes: new Map() }, bundleFile: '/bundles/e.mjs' }
        },
      },
    },
  })
  const pinJson = JSON.stringify({ ...pin, fingerprint: earlier.fingerprint })
  const dataset = await client.trainingSet({ service: 'predict_delay', spine: spineOf(Buffer.from('s')), pinJson })
  await collect(dataset)
  expect(dataset.info.fingerprint).toBe(earlier.fingerprint)
  expect(asked[0]!.request).toMatchObject({ registry: earlier, bundleFile: '/bundles/e.mjs' })
})

test.each([
  ['another spine', { spine: { sha256: '3'.repeat(64), rows: 4 } }, 'FAILED_PRECONDITION', 'not the spine of the pin'],
  ['other bytes', { output: { sha256: '3'.repeat(64), rows: 3 } }, 'DATA_LOSS', 'could not be reproduced'],
  [
    'bytes of another engine',
    { output: { sha256: '3'.repeat(64), rows: 3 }, engine: 'duckdb 2' },
    'FAILED_PRECONDITION',
    'written by duckdb 1 and this server runs duckdb 2',
  ],
])('%s never passes for what the pin promises', async (_name, made, code, message) => {
  const { offline } = joining(made)
  await start({ offline })
  const pinned = { service: 'predict_delay', spine: spineOf(Buffer.from('s')), pinJson: JSON.stringify(pin) }
  const [seenCode, seenMessage] = await refused(client.trainingSet(pinned))
  expect([seenCode, seenMessage]).toEqual([code, expect.stringContaining(message)])
  expect(await edge.spooledFiles()).toEqual([])
})

test.each([
  ['{', 'not JSON'],
  ['[]', 'not a JSON object'],
  [JSON.stringify({ ...pin, pinFormat: 2, tables: { a: 1.5 }, output: null }), 'pin.pinFormat'],
])('the pin %s is INVALID_ARGUMENT', async (pinJson, message) => {
  await start({})
  const [code, seen] = await refused(client.trainingSet({ service: 'predict_delay', spine: spineOf(), pinJson }))
  expect(code).toBe('INVALID_ARGUMENT')
  expect(seen).toContain(message)
  if (pinJson.includes('1.5'))
    for (const member of ['tables', 'output']) expect(seen).toContain(`pin.${member}: expected`)
})

test('a spine above the limit is RESOURCE_EXHAUSTED naming the option, and nothing of it stays', async () => {
  await start({ settings: { spineBytesMax: 1000 } })
  const endless = async function* (): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(400)
  }
  const work = client.trainingSet({ service: 'predict_delay', spine: endless(), timestampColumn: 'date' })
  const [code, message] = await refused(work)
  expect(code).toBe('RESOURCE_EXHAUSTED')
  expect(message).toContain('1000 bytes of option spine-bytes-max')
  expect(await edge.spooledFiles()).toEqual([])
})

test.each([
  ['no spine', { service: 'predict_delay', timestampColumn: 'd' }, 'INVALID_ARGUMENT', 'no spine'],
  ['no timestamp column', { service: 'predict_delay' }, 'INVALID_ARGUMENT', 'timestamp_column'],
  [
    'an unknown service',
    { service: 'predict', timestampColumn: 'd' },
    'NOT_FOUND',
    'unknown feature service "predict"',
  ],
])('%s is refused', async (_name, options, code, message) => {
  await start({})
  const [seenCode, seenMessage] = await refused(client.trainingSet({ ...options, spine: spineOf() }))
  expect([seenCode, seenMessage]).toEqual([code, expect.stringContaining(message)])
})

test('a spine without a spec before it is INVALID_ARGUMENT', async () => {
  await start({})
  for (const [bytes, message] of [
    [Buffer.from([0x12, 1, 65]), 'must have `spec`'],
    [Buffer.alloc(0), 'must have a part'],
    [Buffer.from([0x0a, 0xff]), 'not a twinstore.v1.TrainingSetRequest message'],
  ] as const) {
    const call = duplex(edge.client, PATH)
    call.resume()
    call.write(bytes)
    const [error] = await once(call, 'error')
    expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, expect.stringContaining(message)])
  }
})

test('a spine that fails at the client is the error the caller sees, and the call is cancelled', async () => {
  await start({})
  const broken = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('some')
    throw new Error('the spine file vanished')
  }
  const work = client.trainingSet({ service: 'predict_delay', spine: broken(), timestampColumn: 'd' })
  await expect(work).rejects.toThrow('the spine file vanished')
})

test('history gives values, missing ones and both times exactly', async () => {
  const micros = 1_700_000_000_123_456
  await start({
    offline: {
      async history(view, request) {
        expect([view.name, request]).toEqual(['gate_status', { entity: [7n], limit: 100, eventMicrosMax: micros }])
        const row = { eventMicros: micros, createdMicros: micros + 1, position: micros + 1, origin: 'write' as const }
        const values = [Buffer.from([0x38, 1]), Buffer.alloc(0), Buffer.from([0x98, 1, 0])]
        return { rows: values.map((value) => ({ ...row, values: [value] })), truncated: true, tableVersion: 5 }
      },
    },
  })
  const history = await client.history('gate_status', { gate: 7 }, { asOfEvent: BigInt(micros) })
  expect(history).toMatchObject({ truncated: true, tableVersion: 5, fingerprint: FINGERPRINT })
  expect(history.rows.map(({ values, missing }) => [values, missing])).toEqual([
    [{ closed: true }, []],
    [{ closed: null }, ['closed']],
    [{ closed: null }, []],
  ])
  expect(history.rows[0]).toMatchObject({
    eventTimestampMicros: BigInt(micros),
    createdTimestampMicros: BigInt(micros + 1),
    origin: 'write',
  })
  expect(edge.flushes).toEqual([['gate_status']])
  const [code, message] = await refused(client.history('gate_status', { gate: 7 }, { limit: 1001 }))
  expect([code, message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining('option history-rows-max')])
  expect((await refused(client.history('gate_statsu', { gate: 7 })))[1]).toContain('did you mean gate_status?')
})
