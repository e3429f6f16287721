/** The recipes of bench/recipes: those whose tool is here run and find every answer right, and one that meets a wrong answer says so. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { post } from './http-fixture.ts'

const FLIGHTS = new URL('../../examples/flights', import.meta.url).pathname
const recipe = (name: string) => new URL(`../../bench/recipes/${name}.mjs`, import.meta.url).pathname
const TOOL_MISSING = 3

let dir: string
let server: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-recipes-'))
  const flags = [
    '--http',
    '127.0.0.1:0',
    '--metrics',
    '127.0.0.1:0',
    '--sync-on-start',
    'never',
    '--sync-schedule',
    'off',
    '--log-level',
    'warn',
  ]
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: FLIGHTS, flags })
  const client = connect(server.address)
  await client.writeFeatures('airport_status', [{ airport: 'ATL', closed: false, expected_delay_minutes: 5 }])
  client.close()
})
afterAll(async () => {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
})

function run(name: string, http: string): Promise<{ readonly code: number; readonly output: string }> {
  const addresses = ['--grpc', server.address, '--http', http, '--metrics', server.metricsAddress!]
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [recipe(name), ...addresses, '--seconds', '1', '--in-flight', '2'],
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    )
  })
}

test('each recipe whose tool is here finds every answer right; the others say how to get it', async () => {
  const missing: string[] = []
  for (const name of ['autocannon', 'ghz', 'h2load']) {
    const { code, output } = await run(name, server.httpAddress!)
    if (code === TOOL_MISSING) {
      expect(output).toMatch(/^\w+ is not on the PATH\. To get it:\n {2}\w+/)
      missing.push(name)
    } else {
      expect(code, output).toBe(0)
      expect(output).toMatch(/answers before and after: equal, 17 values, the same over gRPC and HTTP/)
    }
  }
  expect(missing, 'it comes with npm ci').not.toContain('autocannon')
  if (missing.length > 0) console.log(`not run, because the tool is not here: ${missing.join(', ')}`)
})

/** Answers as the server does, but for one in ten, which has another value and the same status. */
async function sometimesWrong(): Promise<Server> {
  let count = 0
  const proxy = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const { text } = await post(server.httpAddress!, request.url!, body)
    response.setHeader('content-type', 'application/json')
    // The first two are the ones that are decoded and that the others are compared with.
    response.end(`${count++ % 10 === 9 ? text.replace('false', 'true') : text}\n`)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  return proxy
}

test('a wrong answer among right ones is found, whatever its status', async () => {
  const proxy = await sometimesWrong()
  const { code, output } = await run('autocannon', `127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  proxy.close()
  proxy.closeAllConnections()
  expect(code, output).toBe(1)
  expect(output).toMatch(/errors 0, timeouts 0, other statuses 0, other bodies [1-9]/)
  expect(output).toContain('WRONG: not every answer was the expected one')
})
