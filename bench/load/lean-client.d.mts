declare const preparedRequest: unique symbol
export interface PreparedRequest {
  readonly [preparedRequest]: true
}

export interface LeanCall {
  readonly request: PreparedRequest
  /** Of performance.now(). */
  readonly sentMs: number
}

export interface LeanClient {
  method(path: string, isStreamed?: boolean): (message: Buffer) => PreparedRequest
  send(call: LeanCall): void
  close(): void
}

export function openLeanClient<Call extends LeanCall>(options: {
  readonly target: string
  readonly connections: number
  readonly deadlineMs: number
  readonly onDone: (call: Call, failure: string | null, answerBytes: number) => void
  readonly firstStreamId?: number
}): Promise<LeanClient>
