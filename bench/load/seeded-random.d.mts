export function seededRandom(seed: number, purpose?: string): () => number
