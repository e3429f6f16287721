import { afterEach, expect, test } from 'vitest'
import { messageCodec } from '../../src/api/grpc/protocol.ts'
import { connect } from '../../src/client/index.ts'
import { TwinstoreError as ServerError } from '../../src/domain/errors.ts'
import { refused } from '../support/call-failure.ts'
import { deferred, type Edge, type Script, startEdge } from './grpc-fixture.ts'

const getRequest = messageCodec<Record<string, unknown>>('GetFeaturesRequest')
const getResponse = messageCodec('GetFeaturesResponse')
const writeRequest = messageCodec<Record<string, unknown>>('WriteFeaturesRequest')
const writeResponse = messageCodec('WriteFeaturesResponse')

let edge: Edge
let client: ReturnType<typeof connect>
async function start(script: Script): Promise<Edge> {
  edge = await startEdge(script)
  client = connect(edge.address, { channels: 2, backoffMs: 1 })
  return edge
}
afterEach(async () => {
  client.close()
  await edge.close()
})

const columns = [
  ['delay', 'double'],
  ['flights', 'int64'],
  ['seen', 'timestamp'],
  ['raw', 'bytes'],
  ['emb', 'vector<2>'],
  ['tags', 'list<string>'],
  ['gone', 'string'],
].map(([feature, type]) => ({ name: `v__${feature}`, view: 'v', feature, type }))
const layout = { id: '18446744073709551615', fingerprint: 'f'.repeat(32), columns, views: ['v', 'w'] }
const vector = {
  values: [
    { doubleVal: 1.5 },
    { int64Val: '9007199254740993' },
    { unixTimestampVal: '100' },
    { bytesVal: Buffer.from([1, 2]) },
    { floatListVal: { val: [0.5, -1] } },
    { stringListVal: { val: ['a', 'ž'] } },
    {},
  ],
  statuses: Buffer.from([1, 1, 4, 1, 1, 1, 3]),
  eventTimestamps: ['1700000000123000', '0'],
  staleViews: [1],
}

test('values come as plain JavaScript, and the layout is sent once', async () => {
  const known: unknown[] = []
  await start({
    getFeatures(bytes) {
      const request = getRequest.decode(bytes)
      known.push(request['knownLayout'])
      const sent = request['knownLayout'] === layout.id ? {} : { layout }
      return getResponse.encode({ layoutId: layout.id, ...sent, vectors: [vector] })
    },
  })
  const ask = { service: 'predict_delay', entities: [{ origin: 'ATL', destination: 'ORD' }] }
  const { rows, layout: seen } = await client.getFeatures(ask)
  expect(rows).toEqual([
    {
      values: {
        v__delay: 1.5,
        v__flights: 9007199254740993n,
        v__seen: new Date(100_000),
        v__raw: Buffer.from([1, 2]),
        v__emb: [0.5, -1],
        v__tags: ['a', 'ž'],
        v__gone: null,
      },
      statuses: {
        v__delay: 'PRESENT',
        v__flights: 'PRESENT',
        v__seen: 'OUTSIDE_MAX_AGE',
        v__raw: 'PRESENT',
        v__emb: 'PRESENT',
        v__tags: 'PRESENT',
        v__gone: 'NOT_FOUND',
      },
      eventTimestamps: { v: new Date(1_700_000_000_123), w: null },
      staleViews: ['w'],
      historyViews: [],
    },
  ])
  expect(seen.fingerprint).toBe(layout.fingerprint)
  expect((await client.getFeatures(ask)).rows).toEqual(rows)
  expect(known).toEqual(['0', layout.id])
})

test('requests are encoded by the types of the definitions, from rows or columns', async () => {
  const seen: unknown[] = []
  await start({
    getFeatures(bytes) {
      const request = getRequest.decode(bytes)
      seen.push(request['columns'])
      expect([request['consistency'], request['format']]).toEqual(['CONSISTENCY_FRESH', 'RESPONSE_FORMAT_VALUES'])
      return getResponse.encode({ layoutId: layout.id, layout, vectors: [] })
    },
  })
  const fresh = { consistency: 'FRESH' } as const
  const rows = [{ gate: 45 }, { gate: 2n ** 62n }]
  await client.getFeatures({ features: ['gate_status:*'], entities: rows, ...fresh })
  await client.getFeatures({ features: ['gate_status:*'], entities: { gate: [45, 2n ** 62n] }, ...fresh })
  expect(seen[0]).toEqual(seen[1])
  expect(seen[0]).toEqual([{ name: 'gate', values: 'int64s', int64s: { val: ['45', String(2n ** 62n)] } }])
  await client.getFeatures({
    service: 'risky',
    entities: [{ airport: 'ATL' }, { airport: null }],
    request: { scheduled_hour: 45 },
    ...fresh,
  })
  expect(seen[2]).toMatchObject([
    { name: 'airport', list: { val: [{ stringVal: 'ATL' }, { val: 'nullVal' }] } },
    { name: 'scheduled_hour', doubles: { val: [45, 45] } },
  ])
  const [code, message] = await refused(client.getFeatures({ features: ['gate_status:*'], entities: [{ gate: 'x' }] }))
  expect([code, message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining('gate, row 0: expected int64')])
})

test('a tensor is a Float32Array with a name per column', async () => {
  const numeric = { ...layout, columns: [columns[0], columns[4]] }
  const data = Buffer.from(new Float32Array([1, 2, 3, 4, 5, Number.NaN]).buffer)
  await start({
    getFeatures: () =>
      getResponse.encode({ layoutId: layout.id, layout: numeric, tensor: { rows: 2, columns: 3, data } }),
  })
  const entities = [{ origin: 'a', destination: 'b' }]
  const tensor = await client.getFeatures({ service: 'predict_delay', entities, format: 'tensor' })
  expect(tensor.data).toEqual(new Float32Array([1, 2, 3, 4, 5, Number.NaN]))
  expect([tensor.rows, tensor.columns, tensor.names]).toEqual([2, 3, ['v__delay', 'v__emb[0]', 'v__emb[1]']])
})

test('a tensor whose bytes are not those of its rows and columns is refused', async () => {
  const tensor = { rows: 2, columns: 3, data: Buffer.alloc(20) }
  await start({ getFeatures: () => getResponse.encode({ layoutId: layout.id, layout, tensor }) })
  const asked = client.getFeatures({ service: 'predict_delay', entities: [{ origin: 'a' }], format: 'tensor' })
  await expect(asked).rejects.toMatchObject({ code: 'DATA_LOSS', message: 'a tensor of 2 x 3 came with 20 bytes' })
})

test('no caller can change the statuses that rows share', async () => {
  const whole = { ...vector, statuses: Buffer.alloc(0) }
  await start({ getFeatures: () => getResponse.encode({ layoutId: layout.id, layout, vectors: [whole, whole] }) })
  const { rows } = await client.getFeatures({ service: 'predict_delay', entities: [{ origin: 'a' }, { origin: 'b' }] })
  expect(Object.values(rows[0]!.statuses)).toEqual(columns.map(() => 'PRESENT'))
  expect(rows[0]!.values).not.toBe(rows[1]!.values)
  expect(() => Object.assign(rows[0]!.statuses, { v__delay: 'NULL' })).toThrow(TypeError)
})

test('45 is right for a double and for an int64, and every fault is named before anything is sent', async () => {
  const seen: Record<string, unknown>[] = []
  await start({
    writeFeatures: async (bytes) => {
      seen.push(writeRequest.decode(bytes))
      return writeResponse.encode({ outcomes: [{ status: 'STATUS_SUPERSEDED', position: '1700000000000001' }] })
    },
  })
  const row = {
    airport: 'ATL',
    mean_delay: 45,
    flights: 45,
    seen_at: new Date(1999),
    raw: new Uint8Array([1]),
    embedding: new Float32Array([1, 2, 3]),
    tags: null,
    event_timestamp: new Date(5),
  }
  const options = { ack: 'BOTH', writeId: 'w1' } as const
  expect(await client.writeFeatures('airport_daily', [row], options)).toEqual([
    { status: 'SUPERSEDED', position: 1700000000000001n },
  ])
  expect(seen[0]).toMatchObject({
    view: 'airport_daily',
    columns: ['airport', 'mean_delay', 'flights', 'seen_at', 'raw', 'embedding', 'tags'],
    ack: 'ACK_BOTH',
    writeId: 'w1',
    rows: [
      {
        eventTimestampMicros: '5000',
        values: [
          { stringVal: 'ATL' },
          { doubleVal: 45 },
          { int64Val: '45' },
          { unixTimestampVal: '1' },
          { bytesVal: Buffer.from([1]) },
          { floatListVal: { val: [1, 2, 3] } },
          { val: 'nullVal' },
        ],
      },
    ],
  })
  const wrong = [
    { airport: 7, mean_dely: 1 },
    { airport: 'x', flights: 1.5, event_timestamp: 'today' },
  ]
  const [code, message] = await refused(client.writeFeatures('airport_daily', wrong))
  expect(code).toBe('INVALID_ARGUMENT')
  for (const part of [
    'mean_dely: not a column',
    'did you mean mean_delay?',
    'rows[0].airport',
    'rows[1].flights',
    'rows[1].event_timestamp',
  ]) {
    expect(message).toContain(part)
  }
  expect(seen).toHaveLength(1)
})

test('a write that found the server unavailable is tried again under the same id', async () => {
  const ids: unknown[] = []
  await start({
    writeFeatures: async (bytes) => {
      ids.push(writeRequest.decode(bytes)['writeId'])
      if (ids.length < 3) throw new ServerError('UNAVAILABLE', 'shard down')
      return writeResponse.encode({ outcomes: [{ status: 'STATUS_APPLIED', position: '1' }] })
    },
  })
  await client.writeFeatures('gate_status', [{ gate: 1, closed: true }])
  expect(ids).toHaveLength(3)
  expect(new Set(ids).size).toBe(1)
  expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
})

test('ingest sends batches and counts what became of the rows', async () => {
  const batches: number[] = []
  await start({
    writeFeatures: async (bytes) => {
      const rows = writeRequest.decode(bytes)['rows'] as unknown[]
      batches.push(rows.length)
      const outcomes = rows.map((_, index) => ({ status: index === 0 ? 'STATUS_SUPERSEDED' : 'STATUS_APPLIED' }))
      return writeResponse.encode({ outcomes })
    },
  })
  const acknowledged: number[] = []
  const rows = Array.from({ length: 25 }, (_, gate) => ({ gate, closed: false }))
  const onAcknowledged = (count: number): void => void acknowledged.push(count)
  expect(await client.ingest('gate_status', rows, { batchRows: 10, onAcknowledged })).toEqual({
    rows: 25,
    applied: 22,
    superseded: 3,
  })
  expect([batches, acknowledged]).toEqual([
    [10, 10, 5],
    [10, 20, 25],
  ])
  const [code, message] = await refused(client.ingest('gate_status', [{ gate: 'x' }]))
  expect([code, message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining('rows[0].gate')])
})

test('a failure of the server ends an ingest, though its rows never end', async () => {
  await start({
    writeFeatures: async () => {
      throw new ServerError('RESOURCE_EXHAUSTED', 'no room')
    },
  })
  async function* endless() {
    yield { gate: 1, closed: true }
    await new Promise(() => undefined)
  }
  const work = client.ingest('gate_status', endless(), { batchRows: 1 })
  expect(await refused(work)).toEqual(['RESOURCE_EXHAUSTED', 'no room'])
})

test('the code and message of the server arrive, and deadlines are kept', async () => {
  const held = deferred<Buffer>()
  await start({
    getFeatures(bytes) {
      if (getRequest.decode(bytes)['featureService'] === 'predict_delay') return held.promise
      throw new ServerError('NOT_FOUND', 'unknown feature service "x"; did you mean y?')
    },
  })
  const entities = [{ origin: 'a', destination: 'b' }]
  expect(await refused(client.getFeatures({ service: 'x', entities }))).toEqual([
    'NOT_FOUND',
    'unknown feature service "x"; did you mean y?',
  ])
  const late = client.getFeatures({ service: 'predict_delay', entities, deadlineMs: 100 })
  expect((await refused(late))[0]).toBe('DEADLINE_EXCEEDED')
})

test('an answer that is no message is DATA_LOSS, not a crash', async () => {
  const answers = [
    Buffer.from([0x09, 1]),
    getResponse.encode({ layoutId: '1' }),
    getResponse.encode({ layoutId: '1', layout: { ...layout, id: '1', columns: [] }, vectors: [vector] }),
  ]
  let call = 0
  await start({ getFeatures: () => answers[call++]! })
  for (const _ of answers) {
    const work = client.getFeatures({ service: 'predict_delay', entities: [{ origin: 'a', destination: 'b' }] })
    expect((await refused(work))[0]).toBe('DATA_LOSS')
  }
})

test('no server at the address is UNAVAILABLE with a hint', async () => {
  await start({})
  edge.server.close()
  const [code, message] = await refused(client.describe())
  expect(code).toBe('UNAVAILABLE')
  expect(message).toContain(`no Twinstore server answers at ${edge.address}`)
})
