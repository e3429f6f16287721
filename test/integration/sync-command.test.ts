/** `twinstore sync` as a cron job runs it: exit codes, the file for node_exporter, and what it prints. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { runCommand } from '../support/cli-process.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const COMMAND = new URL('../../dist/cli/main.js', import.meta.url).pathname
const DEFINITIONS = `
import { entity, featureView, file, hours, int64, sql, string } from 'twinstore'
export const sku = entity('sku', string())
const features = { level: int64() }
const sync = { every: hours(1) }
export const good = featureView('good', { entities: [sku], features, sync, source: sql\`SELECT * FROM \${file('good.csv')}\` })
export const bad = featureView('bad', { entities: [sku], features, sync, source: sql\`SELECT * FROM \${file('bad.csv')}\` })
export const slow = featureView('slow', { entities: [sku], features, source: sql\`
  SELECT 'a' AS sku, count(*) AS level, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp
  FROM range(1000000) a, range(100000) b WHERE a.range % 7 = b.range % 5\` })
`
const BAD_ROWS = 'sku,event_timestamp\na,2026-01-01T00:00:00Z\n'
const GOOD_ROWS = 'sku,level,event_timestamp\na,1,2026-01-01T00:00:00Z\nb,2,2026-01-01T00:00:00Z\n'

let dir: string
let server: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-sync-command-'))
  writeFileSync(join(dir, 'index.ts'), DEFINITIONS)
  writeFileSync(join(dir, 'good.csv'), GOOD_ROWS)
  writeFileSync(join(dir, 'bad.csv'), BAD_ROWS)
  const flags = ['--sync-on-start', 'never', '--sync-schedule', 'off']
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: join(dir, 'index.ts'), flags })
})
afterAll(async () => {
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const sync = (...args: readonly string[]) => runCommand(['sync', '--address', server.address, ...args], dir)

/** Name and labels to value, of the file that the last run left. */
function metricsOf(name: string): ReadonlyMap<string, number> {
  const lines = readFileSync(join(dir, name), 'utf8').split('\n')
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(' '))
  return new Map(samples.map(([key, value]) => [key!.replace('twinstore_sync_job_', ''), Number(value)]))
}

test('0 when all is done, 8 when some views failed; when a view was last synced is kept', async () => {
  const done = await sync('good', '--json', '--metrics-file', 'sync.prom')
  expect(done.exitCode).toBe(0)
  expect(JSON.parse(done.stdout)).toMatchObject([{ view: 'good', rowsAdded: 2, rowsOnline: 2, upToDate: false }])
  const first = metricsOf('sync.prom')
  expect(first.get('exit_code')).toBe(0)
  expect(first.get('succeeded{view="good"}')).toBe(1)
  expect(first.get('rows_added{view="good"}')).toBe(2)
  const syncedAt = first.get('last_success_timestamp_seconds{view="good"}')!
  expect(first.get('timestamp_seconds')! - syncedAt).toBeLessThan(3600)

  const partly = await sync('good', 'bad', '--metrics-file', 'sync.prom')
  expect(partly.exitCode).toBe(8)
  expect(partly.stdout).toMatch(/good +2 +0 +0 +\d+ .* up to date/)
  expect(partly.stderr).toMatch(/error: bad: [\s\S]*level: missing/)
  const second = metricsOf('sync.prom')
  expect([second.get('exit_code'), second.get('succeeded{view="good"}'), second.get('succeeded{view="bad"}')]).toEqual([
    8, 1, 0,
  ])
  expect(second.has('last_success_timestamp_seconds{view="bad"}')).toBe(false)

  const failed = await sync('bad', '--metrics-file', 'sync.prom')
  expect(failed.exitCode).toBe(2)
  const third = metricsOf('sync.prom')
  expect(third.get('last_success_timestamp_seconds{view="good"}')).toBe(
    second.get('last_success_timestamp_seconds{view="good"}'),
  )
  expect(readdirSync(dir).filter((name) => name.includes('prom'))).toEqual(['sync.prom'])

  const status = await runCommand(['status', '--address', server.address], dir)
  expect(status.stdout).toMatch(/good +1 h +2\d{3}-/)
  expect(status.stdout).toMatch(/SYNC FAILED: bad, [\s\S]*level: missing/)
})

test('9 while another sync of the view is running, 5 where no server answers', async () => {
  const client = connect(server.address)
  const running = spawn(process.execPath, [COMMAND, 'sync', 'slow', '--address', server.address], { stdio: 'ignore' })
  const ended = once(running, 'exit')
  const isRunning = async () => (await client.status()).syncs.find(({ view }) => view === 'slow')!.running
  await expect.poll(isRunning, { timeout: 30_000 }).toBe(true)
  const refused = await sync('slow', '--metrics-file', 'refused.prom')
  expect([refused.exitCode, refused.stderr]).toEqual([9, expect.stringContaining('a sync of slow is already running')])
  expect(metricsOf('refused.prom').get('exit_code')).toBe(9)
  running.kill()
  await ended
  await expect.poll(isRunning, { timeout: 30_000 }).toBe(false)
  client.close()
  const nobody = await runCommand(['sync', '--address', '127.0.0.1:1', '--metrics-file', 'nobody.prom'], dir)
  expect(nobody.exitCode).toBe(5)
  expect(metricsOf('nobody.prom').get('exit_code')).toBe(5)
})

test('a metrics file that cannot be written, and one for a rebuild, are refused', async () => {
  const unwritable = await sync('good', '--metrics-file', 'no/such/folder.prom')
  expect([unwritable.exitCode, unwritable.stderr]).toEqual([2, expect.stringContaining('--metrics-file: ENOENT')])
  const rebuild = await sync('--rebuild', '--metrics-file', 'x.prom')
  expect([rebuild.exitCode, rebuild.stderr]).toEqual([2, expect.stringContaining('leave it out with --rebuild')])
})

test('a rebuild says what it went over, and that nothing was missing', async () => {
  const first = await sync('--rebuild', 'good', '--anew')
  expect([first.exitCode, first.stdout]).toEqual([0, expect.stringMatching(/good +2 +0 +0 +\d+/)])
  const second = await sync('--rebuild', 'good')
  expect(second.stdout).toMatch(/good +0 +0 +0 .* nothing was missing/)
})
