declare module 'cluster-key-slot' {
  /** Slot of a key, 0 to 16383; of the part in braces if it has one. */
  export default function calculateSlot(key: string | Buffer): number
}
