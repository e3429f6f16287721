/** `twinstore plan` as a person runs it: the case the arithmetic was made for, and definitions that apply refuses. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMAND, runCommand } from '../support/cli-process.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-plan-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function definitions(name: string, views: Readonly<Record<string, string>>): string {
  const exports = Object.entries(views).map(
    ([view, options]) =>
      `export const ${view} = featureView('${view}', { entities: [sku], features: { demand: double() }, ${options} })`,
  )
  const file = join(dir, `${name}.ts`)
  const head = [
    `import { double, entity, featureView, hours, minutes, sql, string } from 'twinstore'`,
    `export const sku = entity('sku', string())`,
    'const source = sql`SELECT 1 AS sku`',
  ]
  writeFileSync(file, [...head, ...exports].join('\n'))
  return file
}

test('compute 4 h, ttl 2 h, sync every 6 h: the 4 h gap and three ways out', async () => {
  const file = definitions('issue', { demand: 'ttl: hours(2), source, sync: { every: hours(6) }' })
  const { stdout, exitCode } = await runCommand(['plan', '--definitions', file, '--compute-time', 'demand=4h'], dir)
  expect(exitCode).toBe(2)
  expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
    'view    ttl  sync every  compute time  blind window',
    'demand  2 h  6 h         4 h (flag)    4 h of every 6 h  refused',
    '',
    'demand: a gap of 4 h in every 6 h, in which no value is within its ttl. apply and serve refuse it.',
    '  A value is fresh for 2 h (ttl) after it arrives, and the next one arrives 6 h after it: 6 h - 2 h = 4 h.',
    '  When a sync fails: 2 x 6 h - 2 h = 10 h.',
    '  That is so if event_timestamp says when the value was ready. If it says when the data was read that the value was made from,',
    '  a value is 4 h old when it arrives, so past its ttl: no value is ever fresh.',
    '  Three ways out:',
    '  1. Raise the ttl to at least 12 h; 6 h closes the gap only while no sync fails.',
    '     With timestamps of when data was read: 16 h; 10 h closes the gap only while no sync fails.',
    '  2. Sync at least every 1 h. That needs the computation to take no longer: it takes 4 h, and syncs of a view do not overlap.',
    '  3. Make the computation faster, to at most 1 h, so that it can run that often; or write values as they change (WriteFeatures), let the sync correct them, and set sync.allowBlindWindow.',
    '     A faster computation alone makes values younger and leaves the gap, which comes from the interval.',
    '',
  ])
})

test('what the definitions say of the computation counts, the flag before it; what is accepted is applied', async () => {
  const file = definitions('several', {
    demand: 'ttl: hours(12), source, sync: { every: hours(6), computeTime: hours(4) }',
    pushed_too: 'ttl: hours(2), source, sync: { every: hours(6), computeTime: hours(4), allowBlindWindow: true }',
    no_ttl: 'source, sync: { every: hours(6) }',
    pushed: 'ttl: hours(1)',
  })
  const planned = async (...flags: readonly string[]) => {
    const { stdout, exitCode } = await runCommand(['plan', '--definitions', file, '--json', ...flags], dir)
    expect(exitCode).toBe(0)
    return JSON.parse(stdout)
  }
  expect(await planned()).toMatchObject([
    {
      view: 'demand',
      verdict: 'in time',
      compute: { seconds: 4 * 3600, from: 'definitions' },
      ready: { blindSeconds: 0 },
    },
    { view: 'no_ttl', verdict: 'no ttl' },
    { view: 'pushed', verdict: 'no schedule' },
    { view: 'pushed_too', verdict: 'accepted', ready: { blindSeconds: 4 * 3600 } },
  ])
  const slow = await planned('--compute-time', 'demand=8h', '--compute-time', 'no_ttl=1m')
  expect(slow[0]).toMatchObject({
    verdict: 'slow',
    compute: { seconds: 8 * 3600, from: 'flag' },
    ready: { cycleSeconds: 8 * 3600, blindAfterFailureSeconds: 4 * 3600 },
    waysOut: { ready: { ttlSeconds: 16 * 3600, everySeconds: 6 * 3600 } },
  })
  const store = ['--data-dir', join(dir, 'data')]
  expect((await runCommand(['apply', '--definitions', file, ...store], dir)).exitCode).toBe(0)
  const stored = await runCommand(['plan', '--json', ...store], dir)
  expect(
    JSON.parse(stored.stdout)
      .map(({ view }: { view: string }) => view)
      .sort(),
  ).toEqual(['demand', 'no_ttl', 'pushed', 'pushed_too'])
})

test('a view that is not there is refused', async () => {
  const file = definitions('flags', { demand: 'ttl: hours(2), source, sync: { every: hours(1) }' })
  const { stderr, exitCode } = await runCommand(['plan', '--definitions', file, '--compute-time', 'demnd=4h'], dir)
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining('unknown view "demnd"; did you mean demand?')])
})

test('a reader of the output who stops before its end is no failure', () => {
  const file = definitions('piped', { demand: 'ttl: hours(12), source, sync: { every: hours(6) }' })
  const pipe = `"${process.execPath}" "${COMMAND}" plan --definitions "${file}" | true`
  const { stderr, status } = spawnSync('sh', ['-c', pipe], { cwd: dir, encoding: 'utf8' })
  expect([stderr, status]).toEqual(['', 0])
})
