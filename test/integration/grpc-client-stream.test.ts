/** `client.streamFeatures` against a server whose answers a test scripts. */
import { afterEach, expect, test } from 'vitest'
import { messageCodec } from '../../src/api/grpc/protocol.ts'
import { connect, type FeatureRequest, type FeatureVectors, TwinstoreError } from '../../src/client/index.ts'
import { TwinstoreError as ServerError } from '../../src/domain/errors.ts'
import { deferred, type Edge, type Script, startEdge } from './grpc-fixture.ts'

const requests = messageCodec<{ knownLayout: string; columns: { strings: { val: string[] } }[] }>('GetFeaturesRequest')
const answers = messageCodec('GetFeaturesResponse')

let edge: Edge
let client: ReturnType<typeof connect>
async function start(script: Script): Promise<void> {
  edge = await startEdge(script)
  client = connect(edge.address, { channels: 1, backoffMs: 1 })
}
afterEach(async () => {
  client.close()
  await edge.close()
})

const layout = {
  id: '7',
  fingerprint: 'f'.repeat(32),
  columns: [{ name: 'v__name', view: 'v', feature: 'name', type: 'string' }],
  views: ['v'],
}

function ask(origin: string): FeatureRequest {
  return { service: 'predict_delay', entities: [{ origin, destination: 'ORD' }] }
}

/** The origin asked for, with the layout where the client does not know it. */
function echo(bytes: Buffer): Buffer {
  const { knownLayout, columns } = requests.decode(bytes)
  const names = columns.map(({ strings }) => strings.val[0]!)
  const origin = names.find((name) => name !== 'ORD')!
  const vector = { values: [{ stringVal: origin }], eventTimestamps: ['0'] }
  return answers.encode({ layoutId: '7', ...(knownLayout === '7' ? {} : { layout }), vectors: [vector] })
}

const nameIn = (answer: unknown): unknown => (answer as FeatureVectors).rows[0]!.values['v__name']

test('requests are answered in their order, and the layout is asked for until it is known', async () => {
  const known: string[] = []
  await start({
    getFeatures(bytes) {
      known.push(requests.decode(bytes).knownLayout)
      const answer = echo(bytes)
      return known.length % 2 === 0 ? new Promise((resolve) => setImmediate(() => resolve(answer))) : answer
    },
  })
  const seen: unknown[] = []
  const next: ((more: boolean) => void)[] = []
  async function* origins(): AsyncGenerator<FeatureRequest> {
    for (const origin of ['A', 'B', 'C']) yield ask(origin)
    await new Promise((resolve) => next.push(resolve))
    for (const origin of ['D', 'E']) yield ask(origin)
  }
  for await (const answer of client.streamFeatures(origins())) {
    seen.push(nameIn(answer))
    if (seen.length === 3) next[0]!(true)
  }
  expect(seen).toEqual(['A', 'B', 'C', 'D', 'E'])
  expect(known[0]).toBe('0')
  expect(known.slice(3)).toEqual(['7', '7'])
})

test('many more requests than are under way at once arrive, from a list too', async () => {
  await start({ getFeatures: echo })
  const names = Array.from({ length: 500 }, (_, index) => `airport-${index}`)
  const seen: unknown[] = []
  for await (const answer of client.streamFeatures(names.map(ask))) seen.push(nameIn(answer))
  expect(seen).toEqual(names)
})

async function untilItFails(stream: AsyncIterable<unknown>): Promise<{ seen: unknown[]; error: unknown }> {
  const seen: unknown[] = []
  try {
    for await (const answer of stream) seen.push(nameIn(answer))
  } catch (error) {
    return { seen, error }
  }
  throw new Error('the stream ended well')
}

test('a failure of the server ends it after the answers before, though the requests never end', async () => {
  await start({
    getFeatures(bytes) {
      if (bytes.includes('bad')) throw new ServerError('NOT_FOUND', 'no such thing')
      return echo(bytes)
    },
  })
  async function* endless(): AsyncGenerator<FeatureRequest> {
    yield ask('A')
    yield ask('bad')
    await new Promise(() => undefined)
  }
  const { seen, error } = await untilItFails(client.streamFeatures(endless()))
  expect(seen).toEqual(['A'])
  expect(error).toBeInstanceOf(TwinstoreError)
  expect(error).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('no such thing') })
})

test('a failure of the requests is what the caller hears of', async () => {
  await start({ getFeatures: () => new Promise(() => undefined) })
  function* failing(): Generator<FeatureRequest> {
    yield ask('A')
    throw new Error('the list is broken')
  }
  expect((await untilItFails(client.streamFeatures(failing()))).error).toMatchObject({ message: 'the list is broken' })
  const wrong = client.streamFeatures([{ entities: [] }])
  expect((await untilItFails(wrong)).error).toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('a reader who leaves cancels the call, and the deadline is that of the call', async () => {
  const cancelled = deferred<unknown>()
  await start({
    getFeatures(bytes, caller) {
      if (!bytes.includes('slow')) return echo(bytes)
      return new Promise((_, reject) => {
        caller!.signal.addEventListener('abort', () => {
          cancelled.resolve(caller!.signal.reason)
          reject(caller!.signal.reason)
        })
      })
    },
  })
  for await (const answer of client.streamFeatures([ask('A'), ask('slow')])) {
    expect(nameIn(answer)).toBe('A')
    break
  }
  expect(await cancelled.promise).toMatchObject({ code: 'CANCELLED' })
  const { error } = await untilItFails(client.streamFeatures([ask('slow')], { deadlineMs: 100 }))
  expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
})
