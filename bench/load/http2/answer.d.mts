export class Answer {
  readonly messages: number
  readonly bytes: number
  data(chunk: Buffer, start: number, end: number): void
  headers(block: Buffer): void
  failure(): string | null
}
