/** Benchmarks that nobody runs rot: every one is run here, for an instant, and must bring all its figures. How fast is not asked. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { loadScenarios } from '../../bench/lib/scenarios.mjs'

const RUN = new URL('../../bench/run.mjs', import.meta.url).pathname
const BUDGET = new URL('../../bench/budget.json', import.meta.url)
const README = new URL('../../bench/README.md', import.meta.url)

const scenarios = await loadScenarios()
/** What the budget and README name is among these. */
const FIGURES = [...scenarios].flatMap(([name, { figureNames }]) => figureNames.map((figure) => `${name}.${figure}`))

const run = promisify(execFile)

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-test-'))
  try {
    await work(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

test('every benchmark brings every figure', { timeout: 300_000 }, () =>
  withFolder(async (dir) => {
    const out = join(dir, 'figures.json')
    const { stdout } = await run(process.execPath, [RUN, '--all', '--quick', '--out', out])
    const { figures, machine, scenarios: measured } = JSON.parse(await readFile(out, 'utf8'))
    expect(Object.keys(figures).sort()).toEqual([...FIGURES].sort())
    for (const [name, value] of Object.entries(figures)) {
      if (mayHaveAnySign(name)) expect(value, name).toEqual(expect.anything())
      else expect(value, name).toBeGreaterThan(0)
    }
    const versions = expect.objectContaining({ twinstore: expect.any(String), '@grpc/grpc-js': expect.any(String) })
    expect(machine).toMatchObject({ node: process.version, cores: expect.any(Number), versions })
    expect(stdout).toContain('unary-hit: ')
    await expectReport(join(dir, 'figures.html'), measured)
  }),
)

async function expectReport(file: string, measured: Readonly<Record<string, { plots: { title: string }[] }>>) {
  const page = await readFile(file, 'utf8')
  const images = new Set(await readdir(file.replace('.html', '.images')))
  for (const [name, { plots }] of Object.entries(measured)) {
    expect(page).toContain(`<section id="${name}">`)
    for (const { title } of plots) expect(page).toContain(`<h3>${title}</h3>`)
  }
  // Each plot is there in both themes; two with one name would have taken each other's place.
  expect(images.size).toBe(2 * Object.values(measured).flatMap(({ plots }) => plots).length)
  expect(page).toContain('A quick run: ')
}

function mayHaveAnySign(name: string): boolean {
  const dot = name.indexOf('.')
  return scenarios.get(name.slice(0, dot))?.figuresOfAnySign.test(name.slice(dot + 1)) ?? false
}

test('every bar is for a figure there is', async () => {
  const bars = Object.keys(JSON.parse(await readFile(BUDGET, 'utf8')))
  expect(bars.map((bar) => bar.replace(/_(max|min)$/, '')).filter((figure) => !FIGURES.includes(figure))).toEqual([])
  expect(bars.length).toBeGreaterThan(0)
})

test('every benchmark has its row in the README, which says of a long one that it is', async () => {
  const rows = (await readFile(README, 'utf8')).matchAll(/^\| `([\w-]+)`( \(long\))? \|/gm)
  const listed = [...rows].map(([, name, long]) => `${name} ${long === undefined ? 'short' : 'long'}`)
  expect(listed.sort()).toEqual([...scenarios].map(([name, { suite }]) => `${name} ${suite}`).sort())
})

test('a benchmark that does not exist is refused by name', async () => {
  await expect(run(process.execPath, [RUN, 'unary'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no benchmark unary; there are append, '),
  })
})

test('figures of a quick run are not held against the bars', async () => {
  await expect(run(process.execPath, [RUN, '--quick', '--check'])).rejects.toMatchObject({ code: 2 })
})

test('a number of runs that is none is refused', async () => {
  await expect(run(process.execPath, [RUN, '--runs', '0'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--runs takes a whole number from 1'),
  })
})
