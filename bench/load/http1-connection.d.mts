export interface Http1Failure extends Error {
  readonly what: string
}

export interface Http1Connection {
  send(
    path: string,
    body: Buffer,
    options: { readonly deadlineMs: number; readonly contentType?: string },
    done: (error: Http1Failure | null, answer?: Buffer) => void,
  ): void
  close(): Promise<void>
}

export function openHttp1(address: string, options: { readonly connections: number }): Http1Connection
