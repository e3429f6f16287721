/**
 * autocannon on the HTTP edge. It compares the body of every answer with the one that is expected: `mismatches` must be 0.
 *
 * It comes with `npm ci`; `npx --no-install` runs that one and never another.
 */
import { HTTP_BODY, httpAnswer, runRecipe, runTool } from './recipe.mjs'

const TOOL = {
  name: 'autocannon',
  command: 'npx',
  probe: ['--no-install', 'autocannon', '--version'],
  install: 'npm ci',
}

await runRecipe(TOOL, async ({ http, seconds, inFlight, counted }) => {
  const what = ['--method', 'POST', '--headers', 'content-type=application/json', '--body', HTTP_BODY]
  const load = ['--connections', String(inFlight), '--duration', String(Math.ceil(seconds))]
  const check = ['--expectBody', await httpAnswer(http)]
  let report
  const grown = await counted('twinstore_http_requests_total', async () => {
    const command = ['--no-install', 'autocannon', ...what, ...load, ...check, '--json']
    report = JSON.parse(await runTool('npx', [...command, `http://${http}/v1/get-features`]))
  })
  const { requests, latency, errors, timeouts, mismatches, non2xx } = report
  console.log(
    `${requests.total} answers, ${Math.round(requests.average)} a second; p50 ${latency.p50} ms, p99 ${latency.p99} ms`,
  )
  console.log(`errors ${errors}, timeouts ${timeouts}, other statuses ${non2xx}, other bodies ${mismatches}`)
  const served = grown.get('{route="/v1/get-features",status="200"}') ?? 0
  // Those under way at the end are cut off; the server may have answered them.
  console.log(`the server counted ${served} answers with status 200`)
  if (requests.total === 0 || errors + timeouts + mismatches + non2xx > 0 || served < requests.total) {
    throw new Error('WRONG: not every answer was the expected one')
  }
})
