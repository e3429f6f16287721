/** Starts that must not succeed, and commands that fail: the exit code says the kind, the message says what to do, and there is no stack. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const COMMAND = new URL('../../dist/cli/main.js', import.meta.url).pathname
const LEDGER = new URL('../fixtures/ledger', import.meta.url).pathname

let dir: string
let server: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-start-'))
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: LEDGER })
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  rmSync(dir, { recursive: true, force: true })
})

interface Ended {
  readonly exitCode: number
  readonly stderr: string
}

function twinstore(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...environment }, timeout: 20_000 }
    execFile(process.execPath, [COMMAND, ...args], options, (error, _stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stderr })
    })
  })
}

async function expectFailure(args: readonly string[], exitCode: number, message: RegExp): Promise<void> {
  const ended = await twinstore(args)
  expect(ended.stderr).toMatch(message)
  expect(ended.stderr, 'a stack trace').not.toMatch(/\n\s+at /)
  expect(ended.exitCode, ended.stderr).toBe(exitCode)
}

const serve = (dataDir: string, ...more: readonly string[]) => [
  ...['serve', '--definitions', LEDGER, '--data-dir', join(dir, dataDir), '--grpc', '127.0.0.1:0'],
  ...more,
]

test('a broken configuration: every fault in one message, and nothing is begun', async () => {
  const file = join(dir, 'twinstore.yaml')
  writeFileSync(file, 'cache-tll: 30s\nentities-max: many\n')
  const args = ['serve', '--definitions', LEDGER, '--data-dir', join(dir, 'none'), '--config', file]
  const { exitCode, stderr } = await twinstore([...args, '--grpc', 'nowhere', '--cache-bytes', '1KiB'], {
    TWINSTORE_OUTBOX_ROWS_MAX: '-1',
  })
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/^error: the configuration is not usable:\n/)
  expect(stderr).toMatch(/twinstore\.yaml: cache-tll: there is no such option; did you mean cache-ttl\?/)
  for (const place of ['entities-max', 'TWINSTORE_OUTBOX_ROWS_MAX', '--grpc', '--cache-bytes']) {
    expect(stderr).toMatch(new RegExp(`${place}: `))
  }
  expect(existsSync(join(dir, 'none'))).toBe(false)
})

test('options that contradict each other', () =>
  expectFailure(serve('none', '--outbox-rows-max', '10'), 2, /write-rows-max must not be above outbox-rows-max/))

test('broken definitions: every fault with file and line, and the server does not start', async () => {
  const definitions = join(dir, 'broken')
  mkdirSync(definitions)
  writeFileSync(
    join(definitions, 'index.ts'),
    `import { double, entity, featureService, featureView, seconds, string } from 'twinstore'
export const item = entity('item', string())
export const one = featureView('one', { entities: [item], ttl: seconds(-1), features: { 'not a name': double() } })
export const two = featureView('one', { entities: [], features: {} })
export const both = featureService('both', [one.pick('nothing' as never)])
`,
  )
  const { exitCode, stderr } = await twinstore(['serve', '--definitions', definitions, '--data-dir', join(dir, 'none')])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/index\.ts:3/)
  expect(stderr).toMatch(/index\.ts:4/)
  expect(stderr).toMatch(/ttl/)
  expect(stderr).toMatch(/not a name/)
  expect(stderr).toMatch(/nothing/)
})

test('definitions that are not there, or do not run', async () => {
  await expectFailure(
    ['apply', '--definitions', join(dir, 'nowhere'), '--data-dir', join(dir, 'none')],
    3,
    /no definitions at \S*nowhere: give a folder or a file/,
  )
  const file = join(dir, 'syntax.ts')
  writeFileSync(file, 'export const = 1\n')
  await expectFailure(['apply', '--definitions', file, '--data-dir', join(dir, 'none')], 2, /syntax\.ts:1/)
})

test('a folder that another server has is refused with its process id', () =>
  expectFailure(
    serve('data'),
    4,
    new RegExp(`data is in use by process ${server.process.pid}: stop that process, or give another folder .*data-dir`),
  ))

test('an online store that another server has is refused too, from whatever data folder', () =>
  expectFailure(
    serve(
      'elsewhere',
      '--online',
      `lmdb:${join(dir, 'data/online')}`,
      '--offline',
      `file:${join(dir, 'data/offline')}`,
    ),
    4,
    new RegExp(`online is in use by process ${server.process.pid}: .*option online`),
  ))

test('an address that is taken is named', () =>
  expectFailure(
    [...serve('taken'), '--grpc', server.address],
    4,
    new RegExp(`the gRPC address ${server.address} is in use: .*option grpc`),
  ))

test('folders that cannot be used', async () => {
  const file = join(dir, 'a-file')
  writeFileSync(file, '')
  await expectFailure(serve('a-file/data'), 4, /cannot use \S*a-file\/data: .*\(option data-dir\)/)
  await expectFailure(
    serve('x', '--online', `lmdb:${file}/online`),
    4,
    /cannot use \S*a-file\/online: .*\(option online\)/,
  )
  await expectFailure(serve('x', '--offline', `file:${file}/offline`), 5, /a-file\/offline/)
})

test('an online store is not used with another history than its own', async () => {
  const first = await startServerProcess({ dataDir: join(dir, 'paired'), definitions: LEDGER })
  await first.stop()
  renameSync(join(dir, 'paired/offline'), join(dir, 'paired/moved'))
  await expectFailure(
    serve('paired'),
    4,
    /the online store holds the latest values of offline store .* \(option offline\)/,
  )
  const again = await startServerProcess({
    dataDir: join(dir, 'paired'),
    definitions: LEDGER,
    flags: ['--offline', `file:${join(dir, 'paired/moved')}`],
  })
  expect(await again.stop()).toBe(0)
})

test('nothing was ever applied', () =>
  expectFailure(
    ['serve', '--data-dir', join(dir, 'fresh'), '--grpc', '127.0.0.1:0'],
    4,
    /no definitions were ever applied/,
  ))

const asking = (verb: string, ...args: readonly string[]) => [verb, ...args, '--address', server.address]

test('commands: what is not found is 3', async () => {
  await expectFailure(
    asking('get', 'balance', 'account=1'),
    3,
    /unknown feature service "balance"; did you mean balances\?/,
  )
  await expectFailure(asking('write', 'leger', 'account=1'), 3, /unknown feature view "leger"; did you mean ledger\?/)
  await expectFailure(asking('history', 'leger', 'account=1'), 3, /unknown feature view "leger"; did you mean ledger\?/)
  await expectFailure(asking('export', 'leger', '--out', join(dir, 'out.csv')), 3, /leger.*did you mean ledger\?/)
  await expectFailure(asking('sync', 'leger'), 3, /unknown feature view "leger"; did you mean ledger\?/)
  expect(existsSync(join(dir, 'out.csv'))).toBe(false)
})

test('commands: wrong usage and wrong input are 2', async () => {
  await expectFailure(['gett'], 2, /unknown command 'gett'/)
  await expectFailure(asking('get'), 2, /missing required argument/)
  await expectFailure(asking('get', 'balances', '--addres', 'x'), 2, /unknown option '--addres'/)
  await expectFailure(asking('get', 'balances', 'account'), 2, /account/)
  await expectFailure(asking('get', 'balances', 'acount=1'), 2, /acount.*did you mean account\?/)
  await expectFailure(asking('get', 'balances', 'account=one'), 2, /account.*one/)
  await expectFailure(asking('write', 'ledger', 'account=1', 'atempt=1'), 2, /atempt.*did you mean attempt\?/)
  await expectFailure(asking('get', 'balances', 'account=1', '--timeout', 'soon'), 2, /--timeout: /)
  await expectFailure(
    asking(
      'training-set',
      'balances',
      '--spine',
      join(dir, 'no.parquet'),
      '--timestamp',
      'ts',
      '--out',
      join(dir, 'o.parquet'),
    ),
    3,
    /--spine: there is no file \S*no\.parquet/,
  )
})

test('commands: no server is 5, with the address and how to start one', async () => {
  for (const command of [
    ['get', 'balances', 'account=1'],
    ['status'],
    ['export', 'ledger', '--out', join(dir, 'o.csv')],
  ]) {
    await expectFailure(
      [...command, '--address', '127.0.0.1:1', '--timeout', '2s'],
      5,
      /no Twinstore server answers at 127\.0\.0\.1:1 [\s\S]*start a server with `twinstore serve`/,
    )
  }
})
