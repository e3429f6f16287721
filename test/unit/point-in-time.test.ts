/** The point-in-time join against a model that looks at every row for every spine row, over random histories. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isStale } from '../../src/domain/freshness.ts'
import type { Feature, FeatureView, OnStale } from '../../src/domain/registry.ts'
import type { FeatureFigures, JoinMode } from '../../src/offline/dataset-jobs.ts'
import { literal, timestampLiteral } from '../../src/offline/duckdb/sql.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import { openWorkbench, testService, testView, type Workbench } from '../integration/training-set-fixture.ts'

const START = Date.UTC(2001, 0, 1) * 1000

const FEATURES: readonly Feature[] = [
  { name: 'plain', type: { kind: 'double' } },
  { name: 'standing', type: { kind: 'int64' }, default: '-7' },
  { name: 'added', type: { kind: 'string' }, default: 'none' },
]

interface HistoryRow {
  readonly entity: number
  readonly event: number
  readonly created: number
  readonly position: number
  readonly schemaId: 1 | 2
  readonly missing: readonly string[]
  readonly values: readonly (number | string | null)[]
  readonly file: 0 | 1
}

interface Case {
  readonly ttl: number | undefined
  readonly onStale: OnStale
  readonly history: readonly HistoryRow[]
  readonly spine: readonly { readonly a: number | null; readonly b: number | null; readonly at: number }[]
}

/** Few entities and few moments, so that ties, late rows and rows at the edge of the TTL are common. */
const historyRow = fc.record({
  entity: fc.integer({ min: 0, max: 3 }),
  event: fc.integer({ min: 0, max: 8 }),
  delay: fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 8 })),
  schemaId: fc.constantFrom<1 | 2>(1, 2),
  missing: fc.subarray(['plain', 'standing']),
  plain: fc.option(fc.integer({ min: 0, max: 99 })),
  standing: fc.option(fc.integer({ min: 0, max: 99 })),
  added: fc.option(fc.constantFrom('x', 'y', '')),
  file: fc.constantFrom<0 | 1>(0, 1),
})

const key = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 4 }) },
  { weight: 1, arbitrary: fc.constant(null) },
)

const cases: fc.Arbitrary<Case> = fc
  .record({
    ttl: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    onStale: fc.constantFrom<OnStale>('serve', 'null', 'default', 'reject'),
    rows: fc.array(historyRow, { maxLength: 40 }),
    positions: fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 40, maxLength: 40 }),
    spine: fc.array(fc.record({ a: key, b: key, at: fc.integer({ min: -1, max: 20 }) }), {
      minLength: 1,
      maxLength: 30,
    }),
  })
  .map(({ rows, positions, ...rest }) => ({
    ...rest,
    history: rows.map((row, index) => ({
      ...row,
      created: row.event + row.delay,
      position: positions[index]!,
      values: [row.plain, row.standing, row.schemaId === 1 ? null : row.added].map((value, ordinal) =>
        row.missing.includes(FEATURES[ordinal]!.name) ? null : value,
      ),
    })),
  }))

const DEFAULTS = [null, -7, 'none']

/** The row that is the answer, by definition. */
function modelAnswer(testCase: Case, mode: JoinMode, entity: number | null, at: number): HistoryRow | undefined {
  const visible = testCase.history.filter(
    (row) => row.entity === entity && row.event <= at && (mode === 'EVENT_TIME' || row.created <= at),
  )
  return visible.toSorted((one, other) => other.event - one.event || other.position - one.position)[0]
}

function isMissing(answer: HistoryRow, ordinal: number): boolean {
  return answer.missing.includes(FEATURES[ordinal]!.name) || (ordinal === 2 && answer.schemaId === 1)
}

/** What the join must say. */
function modelFeatures(testCase: Case, mode: JoinMode, entity: number | null, at: number): unknown[] {
  const answer = modelAnswer(testCase, mode, entity, at)
  if (answer === undefined) return DEFAULTS
  if (isStale(answer.event, testCase.ttl, at)) {
    return DEFAULTS.map((standIn) => (testCase.onStale === 'default' ? standIn : null))
  }
  return FEATURES.map((_, ordinal) => (isMissing(answer, ordinal) ? DEFAULTS[ordinal] : answer.values[ordinal]))
}

/** What the manifest must say of a feature that entity `of` of each spine row is asked for. */
function modelFigures(testCase: Case, mode: JoinMode, of: 'a' | 'b', ordinal: number) {
  // With `default` a stale row gives what none gives: the history is then read from two TTLs before the spine.
  const cut = testCase.onStale === 'default' && testCase.ttl !== undefined
  const eventMin = cut ? Math.min(...testCase.spine.map((row) => row.at)) - 2 * testCase.ttl! : Number.NEGATIVE_INFINITY
  const answers = testCase.spine.map((row) => {
    const found = modelAnswer(testCase, mode, row[of], row.at)
    const answer = found !== undefined && found.event >= eventMin ? found : undefined
    const stale = answer !== undefined && isStale(answer.event, testCase.ttl, row.at)
    const missing = answer === undefined || (!stale && isMissing(answer, ordinal))
    const defaulted = DEFAULTS[ordinal] !== null && (missing || (stale && testCase.onStale === 'default'))
    const isNull = modelFeatures(testCase, mode, row[of], row.at)[ordinal] === null
    return { age: answer && row.at - answer.event, stale, missing, defaulted, isNull }
  })
  const ages = answers.flatMap(({ age }) => (age === undefined ? [] : [age / 1e6]))
  const rate = (is: (answer: (typeof answers)[number]) => boolean) => answers.filter(is).length / answers.length
  return {
    nullRate: rate((answer) => answer.isNull),
    missingRate: rate((answer) => answer.missing),
    staleRate: rate((answer) => answer.stale),
    defaultRate: rate((answer) => answer.defaulted),
    ages: ages.length === 0 ? undefined : [Math.min(...ages), Math.max(...ages)],
  }
}

function flatFigures({ nullRate, history }: FeatureFigures) {
  const { ageSeconds, ...rates } = history!
  return { nullRate, ...rates, ages: ageSeconds && [ageSeconds.min, ageSeconds.max] }
}

let bench: Workbench
beforeAll(async () => {
  bench = await openWorkbench()
})
afterAll(() => bench.close())

function viewOf(testCase: Case): FeatureView {
  return testView('v', { id: 'int64', name: 'string' }, FEATURES, {
    schemaId: 2,
    schemaFeatureCounts: [2, 3],
    onStale: testCase.onStale,
    ...(testCase.ttl === undefined ? {} : { ttlMicros: testCase.ttl }),
  })
}

function tableRow(row: HistoryRow): string[] {
  return [
    String(row.entity),
    literal(`n${row.entity}`),
    ...row.values.map((value) => literal(value)),
    timestampLiteral(START + row.event),
    timestampLiteral(START + row.created),
    String(row.position),
    "'write'",
    String(row.schemaId),
    row.missing.length === 0 ? 'NULL' : `[${row.missing.map(literal).join(', ')}]`,
  ]
}

async function filesOf(testCase: Case): Promise<DataFile[]> {
  const files: DataFile[] = []
  for (const file of [0, 1]) {
    const rows = testCase.history.filter((row) => row.file === file)
    if (rows.length > 0) files.push(await bench.tableFile(viewOf(testCase), `rows-${file}.parquet`, rows.map(tableRow)))
  }
  return files
}

async function writeSpine(testCase: Case): Promise<string> {
  const rows = testCase.spine.map(({ a, b, at }) => {
    const keys = [a, b].flatMap((entity) => [
      `CAST(${literal(entity)} AS BIGINT)`,
      `CAST(${literal(entity === null ? null : `n${entity}`)} AS VARCHAR)`,
    ])
    return `(${keys.join(', ')}, ${timestampLiteral(START + at)})`
  })
  const path = bench.path('spine.parquet')
  await bench.session.run(
    `COPY (FROM (VALUES ${rows.join(', ')}) AS s(a_id, a_name, b_id, b_name, moment)) TO ${literal(path)} (FORMAT parquet)`,
  )
  return path
}

const service = testService(
  { kind: 'view', use: { view: 'v', as: 'a', joinKeyMap: { id: 'a_id', name: 'a_name' } } },
  {
    kind: 'view',
    use: { view: 'v', as: 'b', joinKeyMap: { id: 'b_id', name: 'b_name' }, features: ['added', 'plain'] },
  },
)

async function joined(testCase: Case, mode: JoinMode) {
  const outputFile = bench.path('joined.parquet')
  const { features } = await bench.trainingSet({
    service,
    tables: { v: { view: viewOf(testCase), files: await filesOf(testCase) } },
    onDemandViews: {},
    spine: { file: await writeSpine(testCase), format: 'parquet', timestampColumn: 'moment' },
    mode,
    format: 'parquet',
    outputFile,
  })
  const rows = await bench.session.rows(`SELECT * EXCLUDE (moment) FROM read_parquet(${literal(outputFile)})`)
  return {
    rows: rows.map((row) => Object.values(row).map((value) => (typeof value === 'bigint' ? Number(value) : value))),
    features,
  }
}

for (const mode of ['EVENT_TIME', 'AS_SERVED'] as const) {
  // Each case holds the histories of four entities, and asks each of them at up to thirty moments under two aliases.
  test(`${mode} agrees with the model`, { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (testCase) => {
        const expected = testCase.spine.map(({ a, b, at }) => {
          const [plain, , added] = modelFeatures(testCase, mode, b, at)
          const keys = [a, b].flatMap((entity) => [entity, entity === null ? null : `n${entity}`])
          return [...keys, ...modelFeatures(testCase, mode, a, at), added, plain]
        })
        const { rows, features } = await joined(testCase, mode)
        expect(rows).toEqual(expected)
        const uses = [...['a', 'a', 'a'].map((of, ordinal) => [of, ordinal]), ['b', 2], ['b', 0]] as [
          'a' | 'b',
          number,
        ][]
        expect(features.map(flatFigures)).toEqual(
          uses.map(([of, ordinal]) => modelFigures(testCase, mode, of, ordinal)),
        )
      }),
      { numRuns: 100 },
    )
  })
}
