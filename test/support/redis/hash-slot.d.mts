/** The Cluster slot of a key, 0 to 16383: that of its hash tag if it has one. */
export function hashSlot(key: string | Buffer): number
