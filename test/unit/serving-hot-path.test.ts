/** What an answer from L1 must not do: wait, decode, plan again, copy twice, or make objects for values. */
import { expect, test } from 'vitest'
import { type Definitions, type FeatureService, type FeatureView, storageId } from '../../src/domain/registry.ts'
import { ROW_HEADER_BYTES } from '../../src/domain/row-codec.ts'
import type { Caller } from '../../src/serving/serving-service.ts'
import {
  type Bench,
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  feature,
  keyOf,
  member,
  rowOf,
  view,
} from './serving-fixture.ts'

const FEW = 5
const MANY = 500

const doubles = (name: string, count: number): FeatureView =>
  view(
    name,
    Array.from({ length: count }, (_, index) => feature(`f${index}`, 'double')),
  )
const few = doubles('few', FEW)
const many = doubles('many', MANY)
const service = (of: FeatureView, features?: readonly string[]): FeatureService => ({
  name: features === undefined ? of.name : `${of.name}_picked`,
  members: [member(of.name, features === undefined ? {} : { features })],
})
const everySecond = many.features.filter((_, index) => index % 2 === 0).map(({ name }) => name)
const world = definitions({ views: [few, many], services: [service(few), service(many), service(many, everySecond)] })
const AIRPORTS = ['ATL', 'ORD', 'LAX']

const requestFor = (name: string, more: object = {}): Buffer =>
  encodeRequest({ feature_service: name, columns: [{ name: 'airport', strings: { val: AIRPORTS } }], ...more })

/** All rows are in L1. */
async function filled(of: Definitions = world): Promise<Bench> {
  const made = bench(of)
  for (const { name } of of.registry.views.values()) {
    const each = of.registry.views.get(name)!
    for (const airport of AIRPORTS)
      made.store.rows.set(
        keyOf(each, airport),
        rowOf(
          each,
          each.features.map(() => 1.5),
        ),
      )
    await made.serving.getFeatures(requestFor(name))
  }
  return made
}

/** Gives room `offset` bytes into its memory, and minds how often it is asked for what. */
function strictCaller(offset = 0): Caller & { readonly asked: number[] } {
  const asked: number[] = []
  return {
    asked,
    get signal(): AbortSignal {
      throw new Error('an answer from L1 has nothing to wait for')
    },
    roomFor(bytes) {
      asked.push(bytes)
      return Buffer.from(new ArrayBuffer(bytes + offset), offset)
    },
  }
}

test('an answer from L1 is there at once, asks for no signal, and is written once, where the caller says', async () => {
  const { serving } = await filled()
  const request = requestFor('many')
  const caller = strictCaller()
  const answer = serving.getFeatures(request, caller)
  expect(answer).toBeInstanceOf(Buffer)
  expect(answer).toEqual(serving.getFeatures(request))
  expect(caller.asked).toEqual([(answer as Buffer).length])
})

test('a TENSOR is the same wherever its room begins', async () => {
  const { serving } = await filled()
  for (const name of ['few', 'many_picked']) {
    const request = requestFor(name, { format: 2 })
    const expected = serving.getFeatures(request)
    expect(decodeResponse(await expected).tensor!.data.readFloatLE(0)).toBe(1.5)
    for (let offset = 0; offset < 8; offset++)
      expect(serving.getFeatures(request, strictCaller(offset))).toEqual(expected)
  }
})

test('the body of a row is copied as it is, be it no values at all', async () => {
  const made = bench(world)
  const row = rowOf(
    few,
    few.features.map(() => 1.5),
  )
  const noise = Buffer.from(Array.from({ length: row.length - ROW_HEADER_BYTES }, (_, index) => (index * 151) & 0xff))
  const request = requestFor('few')
  for (const airport of AIRPORTS) made.store.rows.set(keyOf(few, airport), row)
  await made.serving.getFeatures(request)
  // The checksum is verified when a row enters L1, so what is damaged here is the row in it.
  for (const airport of AIRPORTS) made.serving.applied(keyOf(few, airport), damaged(row, noise))
  const answer = made.serving.getFeatures(request) as Buffer
  expect(Buffer.isBuffer(answer)).toBe(true)
  let at = -1
  for (const _ of AIRPORTS) {
    at = answer.indexOf(noise, at + 1)
    expect(at).toBeGreaterThan(0)
  }
})

/** A newer version of the row with another body. */
function damaged(row: Buffer, body: Buffer): Buffer {
  const newer = rowOf(
    few,
    few.features.map(() => 1.5),
    { position: 2 },
  )
  expect(newer).toHaveLength(row.length)
  newer.set(body, ROW_HEADER_BYTES)
  return newer
}

test('a selection is looked up in the definitions once', async () => {
  let looks = 0
  const counted = <T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Proxy(map, {
      get(target, name) {
        looks++
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const { registry } = world
  const made = await filled({
    ...world,
    registry: { ...registry, services: counted(registry.services), views: counted(registry.views) },
  })
  made.serving.getFeatures(requestFor('many'))
  const before = looks
  expect(before).toBeGreaterThan(0)
  for (let turn = 0; turn < 10; turn++) made.serving.getFeatures(requestFor('many'))
  expect(looks).toBe(before)
  expect(storageId(many)).toContain('many')
})

test.each(['many', 'many_picked'])(
  'an answer of hundreds of features (%s) makes hardly more objects than one of few',
  async (name) => {
    const { serving } = await filled()
    const room = Buffer.alloc(1 << 20)
    const caller: Caller = { signal: new AbortController().signal, roomFor: (bytes) => room.subarray(0, bytes) }
    const heapBytes = (of: string): number => {
      const request = requestFor(of)
      for (let warm = 0; warm < 2000; warm++) serving.getFeatures(request, caller)
      // A collection in between makes a try too small or negative; the middle of many tries is none of those.
      const tries = Array.from({ length: 51 }, () => {
        const before = process.memoryUsage().heapUsed
        for (let turn = 0; turn < 20; turn++) serving.getFeatures(request, caller)
        return (process.memoryUsage().heapUsed - before) / 20
      })
      return tries.toSorted((a, b) => a - b)[25]!
    }
    // Even one object of 16 bytes for each value more would be 24 KB.
    expect(heapBytes(name) - heapBytes('few')).toBeLessThan(8000)
  },
)
