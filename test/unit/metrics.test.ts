import { expect, test } from 'vitest'
import { CallCounts, GRPC_CALLS } from '../../src/observe/call-counts.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

function made() {
  const faults: string[] = []
  const metrics = createMetrics((name, error) => faults.push(`${name}: ${(error as Error).message}`))
  return { metrics, faults }
}

test('metrics are read anew for every text', async () => {
  const { metrics } = made()
  let rows = 3
  metrics.gauge({ name: 'rows', help: 'Rows', read: () => rows })
  metrics.counter({
    name: 'runs_total',
    help: 'Runs',
    labels: ['view'],
    read: async () => [
      { labels: { view: 'a' }, value: rows },
      { labels: { view: 'b"\n' }, value: 2 * rows },
    ],
  })
  expect(await metrics.text()).toContain('\nrows 3\n')
  rows = 1
  const text = await metrics.text()
  expect(text).toContain('# TYPE runs_total counter\nruns_total{view="a"} 1\nruns_total{view="b\\"\\n"} 2\n')
  expect(text).toContain('\nrows 1\n')
  expect(metrics.names()).toEqual(['rows', 'runs_total'])
})

test('what cannot be read has no samples, and the others do', async () => {
  const { metrics, faults } = made()
  const fail = () => {
    throw new Error('no answer')
  }
  metrics.gauge({ name: 'plain', help: 'x', read: fail })
  metrics.gauge({ name: 'labelled', help: 'x', labels: ['view'], read: async () => fail() })
  metrics.gauge({ name: 'sound', help: 'x', read: () => 7 })
  const samples = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  expect(samples).toEqual(['sound 7'])
  expect(faults).toEqual(['plain: no answer', 'labelled: no answer'])
})

test('calls are counted by method, code and duration', async () => {
  const { metrics } = made()
  const calls = new CallCounts(GRPC_CALLS)
  calls.register(metrics, (code) => `code${code}`)
  calls.ended('/twinstore.v1.Serving/GetFeatures', 0, 0.4)
  calls.ended('/twinstore.v1.Serving/GetFeatures', 0, 0.5)
  calls.ended('/twinstore.v1.Serving/GetFeatures', 14, 700)
  calls.ended('/twinstore.v1.Admin/Sync', 0, 3_600_000)
  const lines = (await metrics.text()).split('\n')
  const duration = 'twinstore_grpc_call_duration_seconds'
  for (const line of [
    'twinstore_grpc_calls_total{method="Serving/GetFeatures",code="code0"} 2',
    'twinstore_grpc_calls_total{method="Serving/GetFeatures",code="code14"} 1',
    `${duration}_bucket{method="Serving/GetFeatures",le="0.0005"} 2`,
    `${duration}_bucket{method="Serving/GetFeatures",le="0.5"} 2`,
    `${duration}_bucket{method="Serving/GetFeatures",le="1"} 3`,
    `${duration}_bucket{method="Serving/GetFeatures",le="+Inf"} 3`,
    `${duration}_sum{method="Serving/GetFeatures"} 0.7009`,
    `${duration}_count{method="Serving/GetFeatures"} 3`,
    `${duration}_bucket{method="Admin/Sync",le="600"} 0`,
    `${duration}_bucket{method="Admin/Sync",le="+Inf"} 1`,
  ]) {
    expect(lines).toContain(line)
  }
})
