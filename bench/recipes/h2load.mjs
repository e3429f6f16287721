/**
 * h2load on GetFeatures: a gRPC request is a POST over HTTP/2, whose body, the message behind five bytes of framing, comes from a file.
 *
 * h2load looks at HTTP statuses, which are 200 for failed calls too: the outcome of a call is in a trailer. So the server's own count of calls
 * by status must have grown by as many OKs as h2load had answers, and by nothing else; and an answer is decoded before and after.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeMessage } from '../../dist/client/protocol.js'
import { PAIR, runRecipe, runTool, SERVICE } from './recipe.mjs'

const TOOL = {
  name: 'h2load',
  command: 'h2load',
  probe: ['--version'],
  install: 'apt-get install nghttp2-client   (or brew install nghttp2)',
}
/** Uncompressed, and the length of the message. */
const FRAMING_BYTES = 5

await runRecipe(TOOL, async ({ grpc, seconds, inFlight, counted }) => {
  const dir = mkdtempSync(join(tmpdir(), 'twinstore-h2load-'))
  try {
    const body = join(dir, 'request.bin')
    writeFileSync(body, framed(request()))
    const load = [
      '--clients',
      '1',
      '--max-concurrent-streams',
      String(inFlight),
      '--duration',
      String(Math.ceil(seconds)),
    ]
    const what = ['--data', body, '--header', 'content-type: application/grpc', '--header', 'te: trailers']
    let output = ''
    const grown = await counted('twinstore_grpc_calls_total', async () => {
      output = await runTool('h2load', [...load, ...what, `http://${grpc}/twinstore.v1.Serving/GetFeatures`])
    })
    check(output, grown, inFlight)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

function request() {
  return encodeMessage('GetFeaturesRequest', {
    featureService: SERVICE,
    columns: Object.entries(PAIR).map(([name, value]) => ({ name, strings: { val: [value] } })),
  })
}

function framed(message) {
  const head = Buffer.alloc(FRAMING_BYTES)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function check(output, grown, inFlight) {
  const lines = output
    .split('\n')
    .filter((line) => /^(finished in|requests:|status codes:|time for request)/.test(line))
  console.log(lines.join('\n'))
  const [, done, succeeded, failed] = /requests: .* (\d+) done, (\d+) succeeded, (\d+) failed/.exec(output).map(Number)
  const served = grown.get('{method="Serving/GetFeatures",code="OK"}') ?? 0
  console.log(`the server counted ${JSON.stringify([...grown])}`)
  // What is under way at the end is cut off: the server has then answered, or seen a call cancelled.
  const others = [...grown.keys()].filter((labels) => !/code="(OK|CANCELLED)"/.test(labels))
  if (done === 0 || failed > 0 || served < succeeded || served > succeeded + inFlight || others.length > 0) {
    throw new Error(`WRONG: h2load had ${succeeded} answers, and the server says that ${served} calls were OK`)
  }
}
