/** The report of a run and the comparison of two, made by the commands as a person would, from a results file with every kind of plot. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Resvg } from '@resvg/resvg-js'
import fc from 'fast-check'
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { afterAll, beforeAll, expect, test } from 'vitest'

const REPORT = new URL('../../bench/report/report.mjs', import.meta.url).pathname
const IMAGES = new URL('../../bench/report/images.mjs', import.meta.url).pathname
const COMPARE = new URL('../../bench/report/compare.mjs', import.meta.url).pathname
const SPREAD_APART = new URL('../../bench/report/plots/spread-apart.mjs', import.meta.url).href
const { spreadApart } = await import(SPREAD_APART)

const run = promisify(execFile)
const command = (script: string, ...args: string[]) => run(process.execPath, [script, ...args])

interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

const spread = (min: number, median: number, max: number): Spread => ({ median, min, max })

function latencies(): string {
  const histogram = build({ bitBucketSize: 32, highestTrackableValue: 120e9, numberOfSignificantValueDigits: 3 })
  for (let call = 1; call <= 20_000; call++) histogram.recordValue(400_000 + (call % 1000) * 100)
  histogram.recordValue(50_000_000)
  return encodeIntoCompressedBase64(histogram)
}

const PLOTS = [
  {
    title: 'Latency <at> its maximum',
    kind: 'percentiles',
    series: [
      { name: 'twinstore & co', histogram: 'latency' },
      { name: 'bare', baseline: true, histogram: 'latency' },
    ],
  },
  {
    title: 'Cost against batch size',
    kind: 'lines',
    x: { label: 'rows per call', log: true },
    y: { label: 'µs per row' },
    series: [
      {
        name: 'twinstore',
        points: [
          [1, 100, 90, 130],
          [10, 20],
          [1000, 5, 4, 6],
        ],
      },
    ],
  },
  {
    title: 'Hit rate',
    kind: 'bars',
    y: { label: '%' },
    series: [
      {
        name: 'zipf',
        points: [
          ['10,000 entries', 95, 94, 96],
          ['1,000 entries', 61],
        ],
      },
    ],
  },
]

function results(figures: Readonly<Record<string, Spread>>) {
  const head = ['case', 'server', 'p50 ms']
  const rows = [
    ['one <b>row</b>', 'twinstore', spread(0.4, 0.5, 0.6)],
    ['', 'ratio', { median: null, min: null, max: null }],
  ]
  const scenario = {
    title: 'GetFeatures & more',
    settings: { rounds: 5, sizes: [1, 10] },
    seconds: 20,
    load: { before: 1, after: 2 },
    ...{ figures, head, rows, histograms: { latency: latencies() }, plots: PLOTS },
  }
  const medians = Object.entries(figures).map(([name, { median }]) => [`append.${name}`, median])
  return {
    startedAt: '2026-11-27T18:00:00.000Z',
    quick: false,
    machine: {
      cpu: 'AMD EPYC',
      cores: 2,
      memoryGib: 24,
      system: 'Linux',
      node: 'v20.20.2',
      versions: { redis: '7.0.15' },
    },
    figures: Object.fromEntries(medians),
    scenarios: { append: scenario },
  }
}

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-report-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, content: unknown): string {
  const path = join(dir, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

test('a report holds every table, every plot, the machine and the bars, and asks the network for nothing', async () => {
  const path = file('run.json', results({ seconds: spread(7, 8, 9), seconds_ratio: spread(2.1, 2.2, 2.3) }))
  const { stdout } = await command(REPORT, path)
  expect(stdout.split('\n')[0]).toBe(join(dir, 'run.html'))
  const page = readFileSync(join(dir, 'run.html'), 'utf8')
  expect(page).toContain('<section id="append">')
  expect(page).toContain('one &lt;b&gt;row&lt;/b&gt;')
  expect(page).toContain('0.500<small> 0.400–0.600</small>')
  expect(page).toContain('GetFeatures &amp; more')
  expect(page).toContain('rounds 5, sizes 1 10')
  expect(page).toContain('AMD EPYC, 2 cores')
  expect(page).toContain('redis 7.0.15')
  expect(page).toContain('Held against the bars: 0 of 1 met')
  expect(page).toContain('✗ fell short')
  // The namespace of SVG is a name, and nothing that is fetched.
  expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
    /https?:|\bsrc=|@import|url\(|<script|<link/,
  )
  const svgs = page.match(/<svg .*?<\/svg>/gs) ?? []
  // Each is drawn for a wide page and for a phone.
  expect(svgs.length).toBe(2 * PLOTS.length)
  for (const svg of svgs) expect(new Resvg(svg).getBBox()?.width).toBeGreaterThan(100)
  for (const label of ['Latency &lt;at&gt; its maximum', 'Cost against batch size', 'Hit rate']) {
    expect(page.split(`aria-label="${label}"`).length - 1, label).toBe(2)
  }
  expect(svgs[0]).toContain('twinstore &amp; co: 99 % within 0.499 ms')
  expect(svgs[2]).toContain('twinstore: 100 (90 to 130) at 1 (µs per row at rows per call)')
})

test('every plot is an image in both themes, and those of an earlier report are gone', async () => {
  const content = results({ p50_ms: spread(1, 1, 1) })
  const path = file('images.json', content)
  await command(REPORT, path)
  const pngs = readdirSync(join(dir, 'images.images'))
  expect(pngs.length).toBe(2 * PLOTS.length)
  expect(pngs).toContain('append.hit-rate-dark.png')
  for (const png of pngs) expect(pngWidth(join(dir, 'images.images', png))).toBe(1520)
  content.scenarios.append.plots = [PLOTS[0]!]
  file('images.json', content)
  await command(REPORT, path)
  expect(readdirSync(join(dir, 'images.images')).length).toBe(2)
})

function pngWidth(path: string): number {
  const bytes = readFileSync(path)
  expect(bytes.toString('latin1', 1, 4)).toBe('PNG')
  return bytes.readUInt32BE(16)
}

test('chosen plots are copied by name', async () => {
  const path = file('chosen.json', results({}))
  const to = join(dir, 'docs')
  expect((await command(IMAGES, path)).stdout).toContain('append.cost-against-batch-size\n')
  await command(IMAGES, path, 'append.hit-rate', '--to', to)
  expect(readdirSync(to).sort()).toEqual(['append.hit-rate-dark.png', 'append.hit-rate-light.png'])
  await expect(command(IMAGES, path, 'hit-rate', '--to', to)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no plot hit-rate; there are append.latency-at-its-maximum, '),
  })
})

test.each([
  ['no JSON', '<html>', 'it is not JSON'],
  ['other JSON', '{"name":"twinstore"}', 'it has no "startedAt"'],
  ['null', 'null', 'it has no "startedAt"'],
  [
    'a scenario without a table',
    { ...results({}), scenarios: { a: { title: 'A', figures: {} } } },
    'scenario a has no "head"',
  ],
])('%s is refused as a results file', async (name, content, problem) => {
  const path = file(`${name}.json`, content)
  const refused = {
    code: 2,
    stderr: expect.stringContaining(`${path} is not a results file of npm run bench: ${problem}`),
  }
  await expect(command(REPORT, path)).rejects.toMatchObject(refused)
  await expect(command(COMPARE, path, path)).rejects.toMatchObject(refused)
})

test('a comparison marks what moved beyond both spreads', async () => {
  const before = file(
    'old.json',
    results({ a_ratio: spread(1, 1.1, 1.2), b_ratio: spread(1, 2, 3), c_ms: spread(1, 2, 3) }),
  )
  const after = file(
    'new.json',
    results({ a_ratio: spread(1.3, 1.4, 1.5), b_ratio: spread(2, 3, 4), c_ms: spread(5, 6, 7) }),
  )
  const { stdout } = await command(COMPARE, before, after)
  expect(stdout).toMatch(/append\.a_ratio +UP +1\.10 \(1\.00-1\.20\) +1\.40 \(1\.30-1\.50\) +1\.27 \(1\.08-1\.50\)/)
  expect(stdout).toMatch(/append\.b_ratio +2\.00 /)
  expect(stdout).not.toContain('c_ms')
  expect(stdout).toContain('1 of 2 moved')
  expect((await command(COMPARE, '--all', after, before)).stdout).toMatch(/append\.c_ms +DOWN /)
})

test('labels are moved apart no further than needed, in their order, within their bounds', () => {
  const positions = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(positions, (wanted) => {
      const places: number[] = spreadApart(wanted, 15, 0, 300)
      const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]! || a - b)
      const sorted = order.map((index) => places[index]!)
      for (const [index, place] of sorted.entries()) {
        expect(place).toBeGreaterThanOrEqual(-1e-9)
        expect(place).toBeLessThanOrEqual(300 + 1e-9)
        if (index > 0) expect(place - sorted[index - 1]!).toBeGreaterThanOrEqual(15 - 1e-9)
      }
      const free = order.every((each, index) => index === 0 || wanted[each]! - wanted[order[index - 1]!]! >= 15)
      if (free) expect(places).toEqual(wanted)
    }),
  )
})
