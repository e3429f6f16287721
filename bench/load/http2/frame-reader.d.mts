export interface FrameReceiver {
  dataFrame(bytes: number, streamId: number): void
  data(streamId: number, chunk: Buffer, start: number, end: number, isEnd: boolean): void
  frame(type: number, flags: number, streamId: number, payload: Buffer): void
}

export class FrameReader {
  constructor(receiver: FrameReceiver)
  read(chunk: Buffer, length: number): void
}
