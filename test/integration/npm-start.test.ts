/** `npm start` as a person or a supervisor uses it: a signal to npm reaches the server, which drains and exits 0. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'

const ROOT = new URL('../..', import.meta.url).pathname

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'twinstore-npm-start-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

test('options are passed on, and SIGTERM to npm ends the server with 0', async () => {
  const args = [
    'start',
    '--',
    '--grpc',
    '127.0.0.1:0',
    '--http',
    '127.0.0.1:0',
    '--data-dir',
    dataDir,
    '--sync-on-start',
    'never',
  ]
  const npm = spawn('npm', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(npm, 'exit')
  let address = ''
  for await (const line of createInterface({ input: npm.stdout })) {
    address = /^ready grpc (\S+)/.exec(line)?.[1] ?? ''
    if (address !== '') break
  }
  const client = connect(address)
  expect((await client.describe()).services.map((service) => service.name)).toEqual(['predict_delay'])
  client.close()
  npm.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  const late = connect(address, { attemptsMax: 1 })
  await expect(late.status()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  late.close()
})
