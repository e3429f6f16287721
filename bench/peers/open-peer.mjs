/**
 * A peer, ready to be measured: what the load generator needs to call it, and a check that its answers are right.
 *
 * Opening it asks for one item. A server that is not there, speaks another protocol or holds other data is then found before
 * anything is measured.
 */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js'
import { answerFaults } from './answer-check.mjs'
import { grpcColumns, grpcRequest, PATHS } from './feast-grpc.mjs'
import { httpColumns, httpRequest, PATH } from './feast-http.mjs'

/** Of a call whose answer is checked. */
const DEADLINE_MS = 10_000
const FAULTS_SHOWN = 5
const FIRST = { items: [1], features: 50 }

/**
 * `address` as `parsePeers` gives it. Resolves to
 *
 *     name, target   as in the address
 *     wire           which protocol was found, for people
 *     client, path   for `load.run`
 *     request(asked) bytes of a request for `asked`: { items, features }
 *     check(asked)   asks, and resolves to the answer's bytes if every value of it is right; rejects with what is not
 */
export async function openPeer(defer, address, deadlineMs = DEADLINE_MS) {
  const wire = address.scheme === 'grpc' ? await openGrpc(defer, address, deadlineMs) : openHttp(address, deadlineMs)
  const check = async (asked) => {
    const bytes = await asking(address, asked, () => wire.ask(wire.request(asked)))
    const columns = await asking(address, asked, () => wire.columns(bytes))
    const faults = answerFaults(columns, asked)
    if (faults.length > 0) throw new Error(`${where(address, asked)} the answer is wrong:\n${listed(faults)}`)
    return bytes
  }
  await check(FIRST)
  const { name, target } = address
  return { name, target, wire: wire.title, client: wire.client, path: wire.path, request: wire.request, check }
}

async function openGrpc(defer, address, deadlineMs) {
  const client = new Client(address.target, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  defer(() => client.close())
  const askAt = (path, request) =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + deadlineMs }
      client.makeUnaryRequest(path, asIs, asIs, request, new Metadata(), options, (error, answer) => {
        if (error) reject(Object.assign(new Error(`${status[error.code]}: ${error.details}`), { code: error.code }))
        else resolve(answer)
      })
    })
  const path = await servedPath(address, askAt)
  return {
    title: `gRPC ${path}`,
    client: 'lean',
    path,
    request: grpcRequest,
    columns: grpcColumns,
    ask: (request) => askAt(path, request),
  }
}

/** The first of the paths that the server knows; what it answers is looked at later. */
async function servedPath(address, askAt) {
  for (const path of PATHS) {
    const error = await askAt(path, grpcRequest(FIRST)).then(
      () => undefined,
      (failure) => failure,
    )
    if (error?.code !== status.UNIMPLEMENTED) return path
  }
  throw new Error(`${where(address, FIRST)} it knows none of the methods ${PATHS.join(' and ')}`)
}

function openHttp({ target }, deadlineMs) {
  return {
    title: 'HTTP/1.1 POST /get-online-features',
    client: 'http1',
    path: PATH,
    request: httpRequest,
    columns: httpColumns,
    async ask(body) {
      const signal = AbortSignal.timeout(deadlineMs)
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`http://${target}${PATH}`, { method: 'POST', headers, body, signal })
      const answer = Buffer.from(await response.arrayBuffer())
      if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${answer.toString('utf8', 0, 300)}`)
      return answer
    },
  }
}

async function asking(address, asked, work) {
  try {
    return await work()
  } catch (error) {
    // fetch says "fetch failed", and why only in the cause.
    throw new Error(`${where(address, asked)} ${error.cause?.message ?? error.message}`, { cause: error })
  }
}

function where({ text }, { items, features }) {
  return `--peer ${text}: asked for ${items.length} x ${features} features,`
}

function listed(faults) {
  const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => `  ${fault}`)
  const rest = faults.length - shown.length
  return [...shown, ...(rest > 0 ? [`  and ${rest} more`] : [])].join('\n')
}

function asIs(bytes) {
  return bytes
}
