/**
 * Stands on loopback between a client and an S3 server, passes requests on as they are (signatures hold, as the host is signed and
 * passed on too), and does to them what a test says: every way in which a line or a store fails.
 */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const S3_FAULTS = [
  /** 503 SlowDown; nothing reaches the store. */
  'error-before',
  /** Carried out by the store, and answered with a 500. */
  'error-after',
  /** The connection is reset; nothing reaches the store. */
  'reset-before',
  /** Half of the request's body reaches the store, then both connections break. */
  'reset-upload',
  /** Carried out by the store; the connection is reset in place of an answer. */
  'lost-reply',
  /** Half of the answer's body, then a reset. */
  'reset-answer',
  /** Half of the answer's body, then an orderly end. */
  'short-answer',
  /** Nothing reaches the store, and nothing answers. */
  'stall',
  /** Half of the answer's body, then nothing. */
  'stall-answer',
  /** Carried out by the store only after the client gave up. */
  'late',
] as const
export type S3FaultKind = (typeof S3_FAULTS)[number]

export interface ProxiedRequest {
  readonly method: string
  /** With the query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly fault: S3FaultKind | undefined
}

export interface FaultProxy {
  readonly endpoint: string
  /** All so far, in the order they came. */
  readonly requests: ProxiedRequest[]
  /** What befalls each request from now on; undefined: nothing. */
  inject(fault: (request: Omit<ProxiedRequest, 'fault'>) => S3FaultKind | undefined): void
  /** Resolves when every request held back until its client gave up has been carried out. */
  settled(): Promise<void>
  dispose(): Promise<void>
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true })
  const requests: ProxiedRequest[] = []
  const late = new Set<Promise<unknown>>()
  let faultOf: Parameters<FaultProxy['inject']>[0] = () => undefined

  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming
    const fault = faultOf({ method, url, headers })
    requests.push({ method, url, headers, fault })
    incoming.on('error', () => undefined)
    outgoing.on('error', () => undefined)
    const done = handle(fault, { incoming, outgoing, target, agent }).catch(() => outgoing.destroy())
    if (fault !== 'late') return
    late.add(done)
    void done.finally(() => late.delete(done))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    inject(fault) {
      faultOf = fault
    },
    async settled() {
      await Promise.all(late)
    },
    async dispose() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly target: string
  readonly agent: Agent
}

async function handle(fault: S3FaultKind | undefined, exchange: Exchange): Promise<void> {
  const { incoming, outgoing } = exchange
  switch (fault) {
    case 'error-before':
      incoming.resume()
      return answerError(outgoing, 503, 'SlowDown')
    case 'reset-before':
      outgoing.socket?.resetAndDestroy()
      return
    case 'stall':
      incoming.resume()
      return
    case 'reset-upload':
      return breakUpload(exchange)
    case 'late': {
      const body = await bodyOf(incoming)
      if (!outgoing.destroyed) await once(outgoing, 'close')
      const answer = await forward(exchange, body)
      answer.resume()
      await once(answer, 'end')
      return
    }
    default: {
      const answer = await forward(exchange, await bodyOf(incoming))
      return passOn(fault, answer, outgoing)
    }
  }
}

async function passOn(
  fault: S3FaultKind | undefined,
  answer: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  if (fault === undefined) {
    outgoing.writeHead(answer.statusCode!, answer.rawHeaders)
    answer.pipe(outgoing)
    return
  }
  const body = await bodyOf(answer)
  if (fault === 'error-after') return answerError(outgoing, 500, 'InternalError')
  if (fault === 'lost-reply' || body.length < 2) {
    outgoing.socket?.resetAndDestroy()
    return
  }
  outgoing.writeHead(answer.statusCode!, answer.rawHeaders)
  await new Promise((resolve) => outgoing.write(body.subarray(0, body.length / 2), resolve))
  if (fault === 'reset-answer') outgoing.socket?.resetAndDestroy()
  if (fault === 'short-answer') outgoing.socket?.end()
}

/** `rawHeaders` has names and values in turn, which is one of the forms that requests take. */
function forward({ incoming, target, agent }: Exchange, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(incoming.url!, target)
    const sent = request(url, { method: incoming.method!, headers: headersOf(incoming), agent })
    sent.on('response', resolve).on('error', reject)
    sent.end(body)
  })
}

async function breakUpload(exchange: Exchange): Promise<void> {
  const { incoming, outgoing, target, agent } = exchange
  const body = await bodyOf(incoming)
  const sent = request(new URL(incoming.url!, target), {
    method: incoming.method!,
    headers: headersOf(incoming),
    agent,
  })
  sent.on('error', () => undefined)
  if (body.length > 1) await new Promise((resolve) => sent.write(body.subarray(0, body.length / 2), resolve))
  sent.destroy()
  outgoing.socket?.resetAndDestroy()
}

function headersOf({ headers }: IncomingMessage): IncomingMessage['headers'] {
  const { connection: _, ...rest } = headers
  return rest
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function answerError(outgoing: ServerResponse, status: number, code: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/xml' })
  outgoing.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`)
}
