import { expect, test } from 'vitest'
import type { EntityKey, RowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { rowCreatedMicros, rowPosition } from '../../src/domain/row-codec.ts'
import type { Invalidation, OnlineStore } from '../../src/online/online-store.ts'
import { contentOf, keyOf, type MakeStore, rowOf, write } from './online-store-fixture.ts'

export function readContract(make: MakeStore): void {
  test('a write is read back, with its position and the equal created timestamp', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const [outcome] = await store.write([write(key, 1_000, 'first')])
    const [row] = await store.readMany([key])
    expect(outcome!.status).toBe('APPLIED')
    expect(row).toEqual(rowOf(1_000, 'first', outcome!.position))
    expect(rowPosition(row as Buffer)).toBe(outcome!.position)
    expect(rowCreatedMicros(row as Buffer)).toBe(outcome!.position)
  })

  test('a write leaves the caller its row as it was', async () => {
    const { store } = await make({})
    const row = rowOf(1_000, 'first')
    await store.write([{ key: keyOf('ATL'), row }])
    expect(row).toEqual(rowOf(1_000, 'first'))
  })

  test('results are in the order of the keys; what was never written is null; a key asked twice is answered twice', async () => {
    const { store } = await make({})
    const names = Array.from({ length: 50 }, (_, index) => `airport-${index}`)
    await store.write(names.map((name) => write(keyOf(name), 1, name)))
    const asked = ['airport-7', 'nowhere', ...names.toReversed(), 'airport-7']
    const results = await store.readMany(asked.map((name) => keyOf(name)))
    expect(results.map(contentOf)).toEqual(asked.map((name) => (name === 'nowhere' ? 'null' : name)))
    expect(await store.readMany([])).toEqual([])
  })

  test('the same entity key under two views is two rows', async () => {
    const { store } = await make({})
    await store.write([
      write(keyOf('ATL', 'airport_daily'), 1, 'daily'),
      write(keyOf('ATL', 'airport_daily@2'), 1, 'two'),
    ])
    const results = await store.readMany([keyOf('ATL', 'airport_daily@2'), keyOf('ATL', 'airport_daily')])
    expect(results.map(contentOf)).toEqual(['two', 'daily'])
  })

  test('keys of every byte are kept apart, in values and in the outbox', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 256 }, (_, byte) => `S\x03${String.fromCharCode(byte, 0, byte)}` as EntityKey)
    const rowKeys = keys.map((key) => `airport_daily/${key}` as RowKey)
    await store.write(rowKeys.map((key, byte) => write(key, 1, `byte ${byte}`)))
    const results = await store.readMany(rowKeys)
    expect(results.map(contentOf)).toEqual(rowKeys.map((_, byte) => `byte ${byte}`))
  })

  test('rows of 1 byte to 1 MiB come back byte for byte', async () => {
    const { store } = await make({})
    const sizes = [0, 1, 2_000, 4_096, 16_383, 16_384, 32_768, 40_000, 65_537, 1_048_576]
    const contents = sizes.map((size) => Buffer.alloc(size, `${size} bytes `))
    const keys = sizes.map((size) => keyOf(`size-${size}`))
    const outcomes = await store.write(keys.map((key, index) => write(key, 1, contents[index]!)))
    const rows = await store.readMany(keys)
    for (const [index, row] of rows.entries()) {
      expect((row as Buffer).equals(rowOf(1, contents[index]!, outcomes[index]!.position))).toBe(true)
    }
  })

  test('a result is the caller’s own: later reads and writes do not change it, and changing it changes nothing', async () => {
    const { store } = await make({})
    for (const size of [100, 5_000, 50_000]) {
      const keys = Array.from({ length: 20 }, (_, index) => keyOf(`owned-${size}-${index}`))
      await store.write(keys.map((key, index) => write(key, 1, Buffer.alloc(size, index + 1))))
      const rows = (await store.readMany(keys)) as Buffer[]
      const copies = rows.map((row) => Buffer.from(row))
      await store.readMany(keys.toReversed())
      await store.write(keys.map((key) => write(key, 2, Buffer.alloc(size, 255))))
      await store.readMany(keys)
      expect(rows.every((row, index) => row.equals(copies[index]!))).toBe(true)
      const fresh = (await store.readMany(keys)) as Buffer[]
      for (const row of fresh) row.fill(0)
      const again = (await store.readMany(keys)) as Buffer[]
      expect(again.every((row) => contentOf(row) === Buffer.alloc(size, 255).toString('utf8'))).toBe(true)
    }
  })

  test('a damaged row is DATA_LOSS for its key, naming view and key, and the others are answered', async () => {
    const { store, damage } = await make({})
    await store.write([write(keyOf('ATL'), 1, 'sound'), write(keyOf('ORD'), 1, 'to be damaged')])
    await damage(keyOf('ORD'))
    const [sound, damaged, missing] = await store.readMany([keyOf('ATL'), keyOf('ORD'), keyOf('LAX')])
    expect(contentOf(sound)).toBe('sound')
    expect(missing).toBeNull()
    expect(damaged).toBeInstanceOf(TwinstoreError)
    expect((damaged as TwinstoreError).code).toBe('DATA_LOSS')
    expect((damaged as TwinstoreError).message).toContain('airport_daily')
    expect((damaged as TwinstoreError).message).toContain(Buffer.from('S\x03ORD').toString('hex'))
  })

  test('a read whose signal has aborted is refused', async () => {
    const { store } = await make({})
    const cancelled = store.readMany([keyOf('ATL')], { signal: AbortSignal.abort() })
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' })
    const late = AbortSignal.abort(new DOMException('late', 'TimeoutError'))
    await expect(store.readMany([keyOf('ATL')], { signal: late })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    const own = new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline of the request passed')
    await expect(store.readMany([keyOf('ATL')], { signal: AbortSignal.abort(own) })).rejects.toBe(own)
    expect(await store.readMany([keyOf('ATL')], { signal: new AbortController().signal })).toEqual([null])
  })

  test('a long read stops when its signal aborts in the middle', async () => {
    const { store } = await make({})
    await store.write([write(keyOf('ATL'), 1, Buffer.alloc(50_000, 1))])
    const controller = new AbortController()
    const reading = store.readMany(
      Array.from({ length: 20_000 }, () => keyOf('ATL')),
      { signal: controller.signal },
    )
    controller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  test('watchers hear of written and seeded rows until they stop', async () => {
    const { store } = await make({})
    const stopped: Invalidation[] = []
    const stop = store.watch((changed) => stopped.push(changed))
    await heardOf(store, keyOf('ATL'), () => store.write([write(keyOf('ATL'), 1, 'written')]))
    await heardOf(store, keyOf('ORD'), () => store.seed([{ key: keyOf('ORD'), row: rowOf(1, 'seeded', 5) }]))
    const heardBefore = stopped.length
    expect(heardBefore).toBeGreaterThan(0)
    stop()
    await heardOf(store, keyOf('LAX'), () => store.write([write(keyOf('LAX'), 1, 'written')]))
    expect(stopped).toHaveLength(heardBefore)
  })

  test('when a watcher hears of a row, a read gives the new one', async () => {
    const { store } = await make({})
    // News of the first write may come after its acknowledgement, and would be taken for that of the second.
    await heardOf(store, keyOf('ATL'), () => store.write([write(keyOf('ATL'), 1, 'old')]))
    let reread: Promise<readonly unknown[]> | undefined
    const stop = store.watch(() => {
      reread = store.readMany([keyOf('ATL')])
    })
    await heardOf(store, keyOf('ATL'), () => store.write([write(keyOf('ATL'), 2, 'new')]))
    stop()
    expect((await reread!).map(contentOf)).toEqual(['new'])
  })

  test('health answers; a closed store refuses everything, and closing twice is harmless', async () => {
    const { store } = await make({})
    await store.health()
    await store.close()
    await store.close()
    for (const use of [
      () => store.readMany([keyOf('ATL')]),
      () => store.write([write(keyOf('ATL'), 1, 'late')]),
      () => store.outboxDepth(),
      () => store.reservePosition(),
      () => store.readMark('mark'),
      () => store.health(),
    ]) {
      await expect(use()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('closed') })
    }
  })
}

/** Runs `act` and waits until a watcher was told of the key. */
async function heardOf(store: OnlineStore, key: RowKey, act: () => Promise<unknown>): Promise<void> {
  let stop: (() => void) | undefined
  const heard = new Promise<void>((resolve) => {
    stop = store.watch((changed) => {
      if (changed === 'all' || changed.includes(key)) resolve()
    })
  })
  await act()
  await heard
  stop?.()
}
