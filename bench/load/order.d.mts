import type { Order } from './load.mjs'

export function nextIndex(order: Order, count: number): () => number
export function nextKind<Kind extends { readonly share: number }>(kinds: readonly Kind[], seed: number): () => Kind
