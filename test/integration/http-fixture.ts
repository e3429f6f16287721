/** What the tests of the HTTP edge share: requests as a client makes them, and raw exchanges over a socket. */
import { connect as connectSocket, type Socket } from 'node:net'

export interface JsonAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body; numbers beyond 2^53 are not exact in it, for which there is `text`. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  readonly body: any
}

export async function post(address: string, path: string, body: unknown, init: RequestInit = {}): Promise<JsonAnswer> {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return request(address, path, {
    method: 'POST',
    body: text,
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
  })
}

export async function request(address: string, path: string, init: RequestInit = {}): Promise<JsonAnswer> {
  const response = await fetch(`http://${address}${path}`, init)
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  const whole = await response.text()
  const text = isJson ? whole.trimEnd() : whole
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

export function openSocket(address: string): Promise<Socket> {
  const at = address.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = connectSocket(Number(address.slice(at + 1)), address.slice(0, at))
    socket.once('connect', () => resolve(socket)).once('error', reject)
  })
}

/** What comes back for raw bytes until the other side closes. */
export async function exchange(address: string, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(address)
  return new Promise((resolve, reject) => {
    let answer = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    socket.on('close', () => resolve(answer)).on('error', reject)
    socket.write(bytes)
  })
}

/** A request with a JSON body as it stands on the wire. */
export function rawPost(path: string, body: string, headers = ''): string {
  const length = Buffer.byteLength(body)
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${headers}\r\n${body}`
}
