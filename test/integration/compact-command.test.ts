/** Compaction of a real server's tables, by command and by schedule. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connect, type TwinstoreClient } from '../../src/client/index.ts'
import { runCommand } from '../support/cli-process.ts'
import { startServerProcess } from '../support/server-process.ts'

test('a server compacts by command and by schedule, and its history stays', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-compact-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const definitions = new URL('../fixtures/ledger/index.ts', import.meta.url).pathname
  const serve = async (...flags: string[]) => {
    const server = await startServerProcess({
      dataDir: dir,
      definitions,
      flags: ['--archive-interval', '1ms', ...flags],
    })
    onTestFinished(() => server.kill())
    return server
  }
  /** Rows in as many commits, each a file. */
  async function write(client: TwinstoreClient, from: number, count: number): Promise<void> {
    for (let n = from; n < from + count; n++) {
      await client.writeFeatures('ledger', [{ account: BigInt(n % 3), attempt: BigInt(n) }], { ack: 'BOTH' })
    }
  }
  const table = async (client: TwinstoreClient) => (await client.status()).tables[0]!

  const first = await serve('--compact-interval', '0s', '--checkpoint-every', '3')
  let client = connect(first.address)
  await write(client, 0, 6)
  expect(await table(client)).toMatchObject({ files: 6, rows: 6 })
  const command = (...args: string[]) => runCommand([...args, '--address', first.address], dir)
  const wouldDo = await command('compact', '--dry-run', '--vacuum')
  expect(wouldDo.stdout).toMatch(/ledger\s+6 files/)
  expect(wouldDo.stdout).toMatch(/would delete/)
  const [done] = JSON.parse((await command('compact', 'ledger', '--vacuum', '--json')).stdout)
  expect(done).toMatchObject({ filesRemoved: 6, filesAdded: 1, vacuum: { deleted: 0 } })
  expect((await command('compact', 'leger')).exitCode).toBe(3)
  expect(await table(client)).toMatchObject({ files: 1, rows: 6 })
  client.close()
  await first.stop()

  const second = await serve(
    '--compact-interval',
    '1ms',
    '--compact-files-min',
    '2',
    '--schedule-look-interval',
    '10ms',
  )
  client = connect(second.address)
  await write(client, 6, 3)
  while ((await table(client)).files > 1) await new Promise((resolve) => setImmediate(resolve))
  const { rows } = await client.history('ledger', { account: 0n })
  expect(rows.map((row) => row.values['attempt'])).toEqual([6n, 3n, 0n])
  expect(second.stderr()).toContain('small files of a table were rewritten')
  client.close()
  expect(await second.stop()).toBe(0)
}, 60_000)
