export interface Http1Request {
  readonly path: string
  readonly body: Buffer
}

export interface Http1Call {
  readonly request: Http1Request
}

export interface Http1Client {
  method(path: string): (body: Buffer) => Http1Request
  send(call: Http1Call): void
  close(): Promise<void>
}

export function openHttp1Client<Call extends Http1Call>(options: {
  readonly target: string
  readonly connections: number
  readonly deadlineMs: number
  readonly onDone: (call: Call, failure: string | null, answerBytes: number) => void
}): Http1Client
