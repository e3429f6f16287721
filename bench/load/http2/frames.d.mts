type FrameType = 'DATA' | 'HEADERS' | 'RST_STREAM' | 'SETTINGS' | 'PING' | 'GOAWAY' | 'WINDOW_UPDATE' | 'CONTINUATION'

export const TYPE: Readonly<Record<FrameType, number>>
export const FLAG: Readonly<Record<'ACK' | 'END_STREAM' | 'END_HEADERS' | 'PADDED' | 'PRIORITY', number>>
export const PREFACE: Buffer
export const STREAM_ID_MAX: number

export function frame(type: number, flags: number, streamId: number, payload?: Buffer): Buffer
export function settingsFrame(settings: readonly (readonly [setting: number, value: number])[]): Buffer
export function numberFrame(type: number, streamId: number, number: number): Buffer
