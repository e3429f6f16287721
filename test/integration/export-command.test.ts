/** `twinstore export --resume`, after the server was killed and has taken new rows since. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { runCommand } from '../support/cli-process.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const LEDGER = new URL('../fixtures/ledger', import.meta.url).pathname

let dir: string
let server: ServerProcess
let client: TwinstoreClient

async function start(): Promise<void> {
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: LEDGER })
  client = connect(server.address)
}
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-resume-'))
  await start()
})
afterEach(async () => {
  client.close()
  await server.kill()
  rmSync(dir, { recursive: true, force: true })
})

const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ account: from + index, amount: (from + index) / 3, note: 'first' }))

test('an interrupted export is finished byte by byte at the version it was begun with, by a server that has nothing of it', async () => {
  await client.writeFeatures('ledger', rows(0, 900), { ack: 'BOTH' })
  const whole: Buffer[] = []
  const dataset = await client.exportFeatures({ view: 'ledger', format: 'csv' })
  for await (const chunk of dataset) whole.push(chunk)
  const bytes = Buffer.concat(whole)

  const out = join(dir, 'ledger.csv')
  const interrupted = () => {
    writeFileSync(`${out}.partial`, bytes.subarray(0, 20_001))
    writeFileSync(`${out}.partial.json`, JSON.stringify({ resumeToken: dataset.info.resumeToken }))
  }
  interrupted()
  client.close()
  await server.kill()
  await start()
  await client.writeFeatures('ledger', rows(500, 900), { ack: 'BOTH' })

  const resume = ['export', 'ledger', '--out', out, '--resume', '--address', server.address]
  const resumed = await runCommand(resume, dir)
  expect(resumed).toMatchObject({ exitCode: 0, stderr: '' })
  expect(resumed.stdout).toContain(`ledger.csv: 900 rows`)
  expect(resumed.stdout).toContain(dataset.trailer!.sha256)
  expect(readFileSync(out).equals(bytes)).toBe(true)
  expect([existsSync(`${out}.partial`), existsSync(`${out}.partial.json`)]).toEqual([false, false])

  // There is nothing to go on with now: it begins anew, at the newest version.
  const anew = await runCommand(resume, dir)
  expect(anew.stderr).toContain('nothing is left of an earlier')
  expect(anew.stdout).toContain('1,800 rows')

  interrupted()
  const other = await runCommand([...resume, '--latest'], dir)
  expect(other).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('of another request') })
  expect(existsSync(`${out}.partial`), 'what is there is kept').toBe(true)

  const damaged = readFileSync(`${out}.partial`)
  damaged[9]! ^= 1
  writeFileSync(`${out}.partial`, damaged)
  const lost = await runCommand(resume, dir)
  expect(lost).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('arrived damaged') })
  expect([existsSync(`${out}.partial`), existsSync(`${out}.partial.json`)]).toEqual([false, false])
}, 60_000)
