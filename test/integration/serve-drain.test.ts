/** SIGTERM to a real server with calls under way: they are finished, nothing new is begun, and what does not end is ended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect, type TwinstoreClient, type WriteRow } from '../../src/client/index.ts'
import { readExportRows } from '../support/export-rows.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { TRANSPORT, transportAt } from '../support/transport.ts'
import { deferred } from './grpc-fixture.ts'

const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
const WAIT = { timeout: 20_000, interval: 10 }

let dataDir: string
const ends: (() => unknown)[] = []
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'twinstore-drain-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  rmSync(dataDir, { recursive: true, force: true })
})

async function serve(...flags: readonly string[]): Promise<ServerProcess> {
  const server = await startServerProcess({ dataDir, definitions: DEFINITIONS, flags })
  ends.push(() => server.kill())
  return server
}

function client(server: ServerProcess): TwinstoreClient {
  const made = connect(server.address, { attemptsMax: 1 })
  ends.push(() => made.close())
  return made
}

const row = (account: number): WriteRow => ({ account, attempt: account, amount: account / 2 })

/** An ingest whose first row is acknowledged and whose second one comes when it is told to. */
async function ingestUnderWay(server: ServerProcess) {
  const more = deferred()
  const begun = deferred()
  async function* rows(): AsyncGenerator<WriteRow> {
    yield row(1)
    await more.promise
    yield row(2)
  }
  const ended = client(server).ingest('ledger', rows(), { batchRows: 1, onAcknowledged: () => begun.resolve() })
  // Whoever waits for the end hears of its failure; until then it is nobody's.
  ended.catch(() => undefined)
  await begun.promise
  return { ended, goOn: more.resolve }
}

test('what is under way is finished and nothing new is begun; afterwards all of it is there once', async () => {
  const server = await serve('--drain-timeout', '1m')
  expect(await transportAt(server.address)).toBe(TRANSPORT)
  const other = client(server)
  await other.describe()
  const { ended, goOn } = await ingestUnderWay(server)
  const stopped = server.stop()
  const refusal = () =>
    other.describe().then(
      () => 'answered',
      (error: { code: string }) => error.code,
    )
  await expect.poll(refusal, WAIT).toBe('UNAVAILABLE')
  goOn()
  expect(await ended).toMatchObject({ rows: 2, applied: 2 })
  expect(await stopped).toBe(0)
  const again = await serve()
  const history = await readExportRows(client(again), { view: 'ledger', columns: ['attempt'] })
  expect(history.map(({ attempt }) => attempt).sort()).toEqual([1n, 2n])
  expect(await again.stop()).toBe(0)
})

test('a call that does not end is ended when drain-timeout is over', async () => {
  const server = await serve('--drain-timeout', '200ms')
  const { ended } = await ingestUnderWay(server)
  const stopped = server.stop()
  await expect(ended).rejects.toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|CANCELLED)$/) })
  expect(await stopped).toBe(0)
})
