/** As RESP2 has it; bulk and simple strings as bytes. */
export type Reply = Buffer | number | null | readonly Reply[]

export interface Endpoint {
  readonly host?: string
  readonly port: number
  readonly password?: string | undefined
}

/** Rejects with an `Error` whose message is the error that Redis replied (`MOVED 7 127.0.0.1:7001`), or names the server. */
export function request(
  endpoint: Endpoint,
  args: readonly (string | number | Buffer)[],
  timeoutMs?: number,
): Promise<Reply>

export function replyText(reply: Reply): string
