/** Compaction asked for over the wire, with scripted stores, and what the schedule makes of it. */
import { afterEach, describe, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { CompactRequest, CompactResult, JobOptions, VacuumRequest } from '../../src/offline/offline-store.ts'
import type { ScheduledTask } from '../../src/upkeep/schedule.ts'
import { tableTasks } from '../../src/upkeep/table-tasks.ts'
import { type Edge, registry, startEdge } from './grpc-fixture.ts'

const COMPACTED = {
  tableVersion: 7,
  filesRemoved: 9,
  bytesRemoved: 9000,
  filesAdded: 1,
  bytesAdded: 5000,
  groupsLeft: 0,
  groupsLost: 1,
}
const VACUUMED = { deleted: 11, bytes: 123, kept: 0, filesLeft: 4 }
const EMPTY = { ...COMPACTED, tableVersion: -1, filesRemoved: 0, filesAdded: 0, groupsLost: 0 }

describe('the call', () => {
  let edge: Edge
  let client: TwinstoreClient
  const asked: (readonly [string, string, CompactRequest | VacuumRequest])[] = []

  async function start(compacting: (view: string, options: JobOptions) => Promise<Omit<CompactResult, 'view'>>) {
    asked.length = 0
    edge = await startEdge({
      offline: {
        async compact(view, request, options) {
          asked.push(['compact', view.name, request])
          return { view: view.name, ...(await compacting(view.name, options!)) }
        },
        async vacuum(view, request) {
          asked.push(['vacuum', view.name, request])
          return { view: view.name, ...VACUUMED }
        },
      },
    })
    client = connect(edge.address)
  }
  afterEach(async () => {
    client.close()
    await edge.close()
  })

  test('goes through all views, with progress and with what vacuum did if it was asked for', async () => {
    await start(async (view, options) => {
      options.onProgress?.({ step: `compacting ${view}`, fraction: 0.5 })
      return view === 'gate_status' ? EMPTY : COMPACTED
    })
    const progress: unknown[] = []
    const results = await client.compact({ vacuum: true, onProgress: (view, { step }) => progress.push([view, step]) })
    expect(results).toEqual(
      ['airport_daily', 'route_daily', 'gate_status'].map((view) => ({
        view,
        ...(view === 'gate_status' ? EMPTY : COMPACTED),
        seconds: expect.any(Number),
        vacuum: VACUUMED,
      })),
    )
    expect(progress).toContainEqual(['airport_daily', 'compacting airport_daily'])
    const compaction = { targetBytes: 1000, filesMin: 2, runBytesMax: 10_000, batchFilesMax: 10, dryRun: false }
    expect(asked.slice(0, 2)).toEqual([
      ['compact', 'airport_daily', compaction],
      ['vacuum', 'airport_daily', { ageMs: 1, filesMax: 10, dryRun: false }],
    ])
  })

  test('of some views does only those, and only says what it would do if asked to', async () => {
    await start(async () => EMPTY)
    expect(await client.compact({ views: ['route_daily', 'route_daily'], dryRun: true })).toHaveLength(1)
    expect(asked).toMatchObject([['compact', 'route_daily', { dryRun: true }]])
  })

  test('of a view that there is not begins nothing', async () => {
    await start(async () => EMPTY)
    await expect(client.compact({ views: ['route_daily', 'rout_daily'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('route_daily'),
    })
    expect(asked).toEqual([])
  })

  test('that fails for one view says why, and that it was cancelled ends the work', async () => {
    await start(async (view) => {
      if (view === 'route_daily') throw new TwinstoreError('DATA_LOSS', 'a file is gone')
      return COMPACTED
    })
    await expect(client.compact()).rejects.toMatchObject({ code: 'DATA_LOSS', message: 'a file is gone' })
    expect(asked.map(([, view]) => view)).toEqual(['airport_daily', 'route_daily'])
  })

  test('whose deadline passes aborts the work', async () => {
    let aborted = (_: unknown): void => {}
    const end = new Promise((resolve) => {
      aborted = resolve
    })
    await start(
      (_, options) =>
        new Promise((_, reject) => {
          options.signal!.addEventListener('abort', () => {
            aborted(true)
            reject(new TwinstoreError('CANCELLED', 'cancelled'))
          })
        }),
    )
    await expect(client.compact({ deadlineMs: 200 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(await end).toBe(true)
  })
})

describe('scheduled tasks', () => {
  const signal = new AbortController().signal
  const compaction = { targetBytes: 1, filesMin: 8, runBytesMax: 1, batchFilesMax: 1 }

  function tasks(everyMs: { compact: number; vacuum: number }, result: () => Omit<CompactResult, 'view'>) {
    const done: unknown[] = []
    const made = tableTasks({
      views: registry.views.values(),
      offline: {
        compact: async ({ name }) => ({ view: name, ...result() }),
        vacuum: async ({ name }) => ({ view: name, ...VACUUMED, deleted: 0 }),
      },
      compactEveryMs: everyMs.compact,
      vacuumEveryMs: everyMs.vacuum,
      compaction,
      vacuum: { ageMs: 1, filesMax: 1 },
      onCompacted: ({ view }) => done.push(`compacted ${view}`),
      onVacuumed: ({ view }) => done.push(`vacuumed ${view}`),
    })
    const named = (name: string): ScheduledTask => made.find((task) => task.name === name)!
    return { made, named, done }
  }

  test('are one of each kind per view, and none of a kind that is off', () => {
    const { made } = tasks({ compact: 5, vacuum: 7 }, () => EMPTY)
    expect(made.map(({ name, view, everyMs }) => [name, view, everyMs])).toEqual(
      ['airport_daily', 'route_daily', 'gate_status'].flatMap((view) => [
        [`compact ${view}`, view, 5],
        [`vacuum ${view}`, view, 7],
      ]),
    )
    expect(tasks({ compact: 0, vacuum: 0 }, () => EMPTY).made).toEqual([])
  })

  test('tell of what they did, and nothing of nothing', async () => {
    const busy = tasks({ compact: 5, vacuum: 7 }, () => COMPACTED)
    await busy.named('compact route_daily').run(signal)
    await busy.named('vacuum route_daily').run(signal)
    expect(busy.done).toEqual(['compacted route_daily'])
    const idle = tasks({ compact: 5, vacuum: 7 }, () => EMPTY)
    await idle.named('compact route_daily').run(signal)
    expect(idle.done).toEqual([])
  })

  test('leave the work to who is at it, and fail for any other reason', async () => {
    const failing = (code: 'ABORTED' | 'DATA_LOSS') =>
      tasks({ compact: 5, vacuum: 0 }, () => {
        throw new TwinstoreError(code, 'no')
      }).named('compact route_daily')
    await failing('ABORTED').run(signal)
    await expect(failing('DATA_LOSS').run(signal)).rejects.toMatchObject({ code: 'DATA_LOSS' })
  })
})
