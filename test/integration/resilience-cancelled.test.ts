/** Calls whose client gives up: the work stops. A job's process is looked for by the system's own list of the server's children. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { treeOf } from '../support/process-tree.ts'
import type { Fields } from '../support/raw-client.ts'
import { type BadInputServer, startBadInputServer } from './bad-input-fixture.ts'

let server: BadInputServer
beforeAll(async () => {
  server = await startBadInputServer(['--log-level', 'fatal', '--offline-cancel-grace', '100ms'])
  await server.client.writeFeatures('stock', [{ item: 'a', shop: 1n, on_hand: 4n }], { ack: 'BOTH' })
})
afterAll(() => server.close())

const SPINE_ROWS = 1_500_000

/** A training set with a computation per row: seconds of work. */
function longTrainingSet(): readonly Fields[] {
  const rows = 'a,1,false,2026-01-01\n'.repeat(50_000)
  const spec = { featureService: 'stock_check', spineFormat: 2, timestampColumn: 'ts', format: 1 }
  const spine = Array.from({ length: SPINE_ROWS / 50_000 }, () => ({ spine: Buffer.from(rows) }))
  return [{ spec }, { spine: Buffer.from('item,shop,fail,ts\n') }, ...spine]
}

function children(): readonly string[] {
  return treeOf(server.process.process.pid!).map(String)
}

/** One that has been forked and has not become Node yet is still the image of who forked it. */
function isJobProcess(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('job-process')
  } catch {
    // Gone since it was listed.
    return false
  }
}

const WAIT = { timeout: 20_000, interval: 10 }

test('a training set that is cancelled, or out of time, ends its process', async () => {
  const before = children()
  const job = () => children().filter((pid) => !before.includes(pid) && isJobProcess(pid))

  const giveUp = new AbortController()
  const cancelled = server.raw.refused('Offline/GetTrainingSet', longTrainingSet(), {
    deadlineMs: 60_000,
    signal: giveUp.signal,
  })
  await expect.poll(job, WAIT).toHaveLength(1)
  giveUp.abort()
  expect((await cancelled).code).toBe('CANCELLED')
  await expect.poll(job, WAIT).toEqual([])

  const late = server.raw.refused('Offline/GetTrainingSet', longTrainingSet(), { deadlineMs: 2500 })
  await expect.poll(job, WAIT).toHaveLength(1)
  // Held, so that it cannot be done before the deadline on a fast machine; what does not stop by itself is killed.
  process.kill(Number(job()[0]), 'SIGSTOP')
  expect((await late).code).toBe('DEADLINE_EXCEEDED')
  // One that is being taken down has no command line any more and is there for a while; the process of short jobs stays.
  await expect.poll(children, WAIT).toEqual(before)
})
