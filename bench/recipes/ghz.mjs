/**
 * ghz on GetFeatures. It needs no proto file: the server has reflection, so that what is asked for stands here as JSON.
 *
 * ghz counts gRPC statuses; every one must be OK, and as many as the server counted. It does not look into answers, so one is decoded before
 * and after.
 */
import { PAIR, runRecipe, runTool, SERVICE } from './recipe.mjs'

const TOOL = {
  name: 'ghz',
  command: 'ghz',
  probe: ['--version'],
  install: 'go install github.com/bojand/ghz/cmd/ghz@latest   (or a release of https://ghz.sh)',
}
const REQUEST = {
  feature_service: SERVICE,
  columns: Object.entries(PAIR).map(([name, value]) => ({ name, strings: { val: [value] } })),
}

await runRecipe(TOOL, async ({ grpc, seconds, inFlight, counted }) => {
  const load = ['--concurrency', String(inFlight), '--connections', '1', '--duration', `${seconds}s`]
  // Without it, calls under way at the end are cut off and counted as failed.
  const toTheEnd = ['--duration-stop', 'wait']
  const what = ['--insecure', '--call', 'twinstore.v1.Serving.GetFeatures', '--data', JSON.stringify(REQUEST)]
  let report
  const grown = await counted('twinstore_grpc_calls_total', async () => {
    report = JSON.parse(await runTool('ghz', [...what, ...load, ...toTheEnd, '--format', 'json', grpc]))
  })
  const { count, rps, statusCodeDistribution, latencyDistribution } = report
  const latency = (percentage) => latencyDistribution.find((each) => each.percentage === percentage).latency / 1e6
  console.log(`${count} calls, ${Math.round(rps)} a second; p50 ${latency(50)} ms, p99 ${latency(99)} ms`)
  console.log(`statuses: ${JSON.stringify(statusCodeDistribution)}; the server counted ${JSON.stringify([...grown])}`)
  const served = grown.get('{method="Serving/GetFeatures",code="OK"}')
  if (count === 0 || statusCodeDistribution.OK !== count || served !== count) {
    throw new Error(
      `WRONG: of ${count} calls ${statusCodeDistribution.OK ?? 0} were OK, and the server answered ${served ?? 0}`,
    )
  }
})
