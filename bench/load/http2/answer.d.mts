export class Answer {
  constructor(isStreamed?: boolean, onMessage?: (bytes: number) => void)
  readonly messages: number
  readonly bytes: number
  data(chunk: Buffer, start: number, end: number): void
  headers(block: Buffer): void
  failure(): string | null
}
