/** What a request may be, and what one that is not gets: the code, and a message that names the thing. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { ask, bench, definitions, encodeRequest, feature, member, use, view } from './serving-fixture.ts'

const airport = view('airport_daily', [feature('flights', 'int64'), feature('mean_delay', 'double')])
const gate = view('gate', [feature('open', 'bool'), feature('name', 'string')], {
  joinKeys: [
    { name: 'airport', type: 'string' },
    { name: 'number', type: 'int64' },
  ],
})
const offline = view('offline_only', [feature('x', 'double')], { online: false })
const clash = view('clash', [feature('x', 'double')], { joinKeys: [{ name: 'airport', type: 'int64' }] })
const risk = {
  name: 'risk',
  inputs: [use('airport_daily')],
  request: [
    feature('hour', 'int64'),
    feature('weight', 'double', { default: 1 }),
    feature('at', 'timestamp', { default: 0 }),
  ],
  features: [feature('seen', 'string')],
  compute: (row: Readonly<Record<string, unknown>>) => ({ seen: JSON.stringify(row['request']) }),
}
const world = definitions({
  views: [airport, gate, offline, clash],
  onDemand: [risk],
  services: [
    { name: 'gates', members: [member('airport_daily'), member('gate')] },
    { name: 'risky', members: [{ kind: 'onDemand', view: 'risk' }] },
  ],
})
const strings = (name: string, ...val: string[]): object => ({ name, strings: { val } })
const int64s = (name: string, ...val: number[]): object => ({ name, int64s: { val } })

function refusal(request: object | Buffer, limits = {}): TwinstoreError {
  const { serving } = bench(world, { limits })
  try {
    serving.getFeatures(Buffer.isBuffer(request) ? request : encodeRequest(request))
  } catch (error) {
    if (error instanceof TwinstoreError) return error
    throw error
  }
  throw new Error('the request was accepted')
}

test.each<[string, object, string, readonly string[]]>([
  ['nothing selected', {}, 'INVALID_ARGUMENT', ['feature_service']],
  ['an unknown service', { feature_service: 'gatez' }, 'NOT_FOUND', ['gatez', 'did you mean gates?']],
  [
    'an unknown view',
    { features: { references: ['airport_dayly:flights'] } },
    'NOT_FOUND',
    ['did you mean airport_daily?'],
  ],
  [
    'an unknown feature',
    { features: { references: ['gate:opne', 'gate:x'] } },
    'NOT_FOUND',
    ['opne', 'did you mean open?', 'features[1]'],
  ],
  [
    'a malformed reference',
    { features: { references: ['gate', 'gate:open:x', ':x'] } },
    'INVALID_ARGUMENT',
    ['view:feature', 'features[2]'],
  ],
  [
    'a reference twice',
    { features: { references: ['gate:*', 'gate:open'] } },
    'INVALID_ARGUMENT',
    ['gate:open is asked for twice'],
  ],
  [
    'an offline view',
    { features: { references: ['offline_only:x'] } },
    'FAILED_PRECONDITION',
    ['offline_only', 'online: false'],
  ],
  [
    'one column as two types',
    { features: { references: ['gate:open', 'clash:x'] } },
    'INVALID_ARGUMENT',
    ['columns.airport', 'int64', 'string'],
  ],
  [
    'missing columns',
    { feature_service: 'gates' },
    'INVALID_ARGUMENT',
    ['columns.airport: not given', 'string', 'columns.number', 'int64'],
  ],
  [
    'an unknown column',
    { feature_service: 'gates', columns: [strings('airprt', 'a'), int64s('number', 1)] },
    'INVALID_ARGUMENT',
    ['airprt', 'did you mean airport?'],
  ],
  [
    'a column twice',
    { feature_service: 'gates', columns: [strings('airport', 'a'), strings('airport', 'b'), int64s('number', 1)] },
    'INVALID_ARGUMENT',
    ['columns.airport: given twice'],
  ],
  [
    'ragged columns',
    { feature_service: 'gates', columns: [strings('airport', 'a', 'b'), int64s('number', 1)] },
    'INVALID_ARGUMENT',
    ['columns.number', 'has 1 values', 'airport has 2'],
  ],
  [
    'wrong forms, all at once',
    { feature_service: 'gates', columns: [int64s('airport', 1), strings('number', 'x')] },
    'INVALID_ARGUMENT',
    ['columns.airport: expected string', 'got int64s', 'columns.number: expected int64', 'got strings'],
  ],
  [
    'wrong values in a list',
    {
      feature_service: 'gates',
      columns: [
        { name: 'airport', list: { val: [{ string_val: 'a' }, { int32_val: 1 }, { null_val: 0 }, {}] } },
        int64s('number', 1, 2, 3, 4),
      ],
    },
    'INVALID_ARGUMENT',
    [
      'columns.airport[1]: expected string, got int32',
      'columns.airport[2]: expected string, got null',
      'columns.airport[3]: expected string, got a missing value',
    ],
  ],
  [
    'a missing request feature',
    { feature_service: 'risky', columns: [strings('airport', 'a')] },
    'INVALID_ARGUMENT',
    ['columns.hour: not given', 'request feature of type int64'],
  ],
  [
    'an unset required request feature',
    { feature_service: 'risky', columns: [strings('airport', 'a'), { name: 'hour', list: { val: [{}] } }] },
    'INVALID_ARGUMENT',
    ['columns.hour[0]', 'missing'],
  ],
  [
    'NaN in a request feature',
    {
      feature_service: 'risky',
      columns: [strings('airport', 'a'), int64s('hour', 1), { name: 'weight', doubles: { val: [Number.NaN] } }],
    },
    'INVALID_ARGUMENT',
    ['columns.weight[0]', 'NaN'],
  ],
  [
    'a wrong request feature',
    { feature_service: 'risky', columns: [strings('airport', 'a'), { name: 'hour', bools: { val: [true] } }] },
    'INVALID_ARGUMENT',
    ['columns.hour', 'int64', 'got bools'],
  ],
  ['an unknown format', { feature_service: 'gates', format: 7 }, 'INVALID_ARGUMENT', ['format: 7']],
  ['TENSOR of strings', { feature_service: 'gates', format: 2 }, 'INVALID_ARGUMENT', ['gate__name (string)']],
])('%s', (_name, request, code, words) => {
  const error = refusal(request)
  expect(error.code).toBe(code)
  for (const word of words) expect(error.message).toContain(word)
})

test.each<[string, object, Readonly<Record<string, number>>]>([
  [
    'entities-max',
    { feature_service: 'gates', columns: [strings('airport', 'a', 'b', 'c'), int64s('number', 1, 2, 3)] },
    { entitiesMax: 2 },
  ],
  ['features-max', { feature_service: 'gates' }, { featuresMax: 3 }],
  ['features-max', { features: { references: ['gate:open', 'gate:name'] } }, { featuresMax: 1 }],
  ['request-bytes-max', { feature_service: 'gates' }, { requestBytesMax: 4 }],
  [
    'entity-key-bytes-max',
    { feature_service: 'gates', columns: [strings('airport', 'x'.repeat(200)), int64s('number', 1)] },
    { entityKeyBytesMax: 100 },
  ],
])('%s is enforced by name', (name, request, limits) => {
  expect(refusal(request, limits)).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) })
})

test('response-bytes-max is enforced by name', async () => {
  const { serving } = bench(world, { limits: { responseBytesMax: 100 } })
  const request = { feature_service: 'gates', columns: [strings('airport', 'a', 'b'), int64s('number', 1, 2)] }
  await expect(ask(serving, request)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining('response-bytes-max'),
  })
})

test('every form of a key is the same key', async () => {
  const forms = [
    [strings('airport', 'é', 'x'.repeat(130)), int64s('number', -1, 5)],
    [
      { name: 'airport', list: { val: [{ string_val: 'é' }, { string_val: 'x'.repeat(130) }] } },
      { name: 'number', list: { val: [{ int64_val: -1 }, { int64_val: 5 }] } },
    ],
  ]
  const asked: unknown[] = []
  for (const columns of forms) {
    const { serving, store } = bench(world)
    await ask(serving, { feature_service: 'gates', columns })
    asked.push(store.calls[0]!.keys)
  }
  expect(asked[1]).toEqual(asked[0])
  expect(asked[0]).toHaveLength(4)
})

test('unpacked int64s are read as packed ones', async () => {
  const text = (field: number, value: string): Buffer =>
    Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), Buffer.from(value)])
  const column = (name: string, field: number, body: Buffer): Buffer => {
    const content = Buffer.concat([text(1, name), Buffer.from([(field << 3) | 2, body.length]), body])
    return Buffer.concat([Buffer.from([0x1a, content.length]), content])
  }
  const unpacked = Buffer.concat([
    text(1, 'gates'),
    column('airport', 2, Buffer.concat([text(1, 'a'), text(1, 'b')])),
    column('number', 3, Buffer.from([0x08, 0x05, 0x08, 0x07])),
  ])
  const { serving, store } = bench(world)
  await serving.getFeatures(unpacked)
  const packed = bench(world)
  await ask(packed.serving, {
    feature_service: 'gates',
    columns: [strings('airport', 'a', 'b'), int64s('number', 5, 7)],
  })
  expect(store.calls[0]!.keys).toEqual(packed.store.calls[0]!.keys)
})

test('a null request feature takes its default, as a null in a spine does', async () => {
  const { serving } = bench(world)
  const { vectors } = await ask(serving, {
    feature_service: 'risky',
    columns: [
      strings('airport', 'a', 'b'),
      int64s('hour', 3, 4),
      int64s('at', 1, 1),
      { name: 'weight', list: { val: [{ double_val: 2 }, { null_val: 0 }] } },
    ],
  })
  const weights = vectors.map((vector) => JSON.parse(String(vector.values[0]?.['string_val'])).weight)
  expect(weights).toEqual([2, 1])
})

test('request features reach the computation typed, with defaults', async () => {
  const { serving } = bench(world)
  const { vectors } = await ask(serving, {
    feature_service: 'risky',
    columns: [
      strings('airport', 'a', 'b'),
      { name: 'hour', list: { val: [{ int64_val: 3 }, { null_val: 0 }] } },
      int64s('at', 86_400, 1),
    ],
  })
  expect(vectors.map((vector) => vector.values[0])).toEqual([
    { string_val: '{"hour":3,"weight":1,"at":"1970-01-02T00:00:00.000Z"}' },
    { string_val: '{"hour":null,"weight":1,"at":"1970-01-01T00:00:01.000Z"}' },
  ])
})

test('a request of no entities is answered with its layout', async () => {
  const { serving } = bench(world)
  const answer = await ask(serving, { feature_service: 'gates', columns: [strings('airport'), int64s('number')] })
  expect(answer.vectors).toEqual([])
  expect(answer.layout?.columns).toHaveLength(4)
})

test('bytes that are not a request get INVALID_ARGUMENT, whatever is wrong with them', async () => {
  const good = encodeRequest({
    feature_service: 'gates',
    columns: [strings('airport', 'a', 'é'), { name: 'number', list: { val: [{ int64_val: 1 }, { int64_val: 2 }] } }],
    known_layout: 5,
  })
  const { serving } = bench(world)
  let refused = 0
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), async (changes, length) => {
      const bytes = Buffer.from(good.subarray(0, length))
      for (const [at, value] of changes) if (at < length) bytes[at] = value
      try {
        await serving.getFeatures(bytes)
      } catch (error) {
        refused++
        expect(error).toBeInstanceOf(TwinstoreError)
        expect(['INVALID_ARGUMENT', 'NOT_FOUND']).toContain((error as TwinstoreError).code)
      }
    }),
    { numRuns: 2000 },
  )
  expect(refused).toBeGreaterThan(500)
  expect(refusal(Buffer.from([0xff, 0xff]))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  const badText = encodeRequest({
    feature_service: 'gates',
    columns: [strings('airport', '\u0001'), int64s('number', 1)],
  })
  badText[badText.indexOf(Buffer.from([0x0a, 1, 1])) + 2] = 0xff
  expect(refusal(badText).message).toContain('columns.airport[0]: not UTF-8')
})
