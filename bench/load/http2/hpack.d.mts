export type Field = readonly [name: string, value: string]

export function encodeBlock(fields: readonly Field[]): Buffer
export function decodeBlock(block: Buffer): Field[]
