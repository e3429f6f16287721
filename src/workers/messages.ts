/** What the supervisor and its workers say to each other, over the channel that node:cluster gives each worker. */
import type { Invalidation } from '../online/online-store.ts'

/** The servers of a worker that are listened for, each on an address of its own. */
export const EDGES = ['grpc', 'http'] as const
export type Edge = (typeof EDGES)[number]

/** Definitions that another worker has applied: all workers serve the same ones, whatever was applied since. */
export interface ServedDefinitions {
  readonly fingerprint: string
  /** What relative paths of source files start from. */
  readonly sourceDir: string
}

/** What a worker says once it serves. */
export interface Ready extends ServedDefinitions {
  readonly project: string
}

/** What a worker is; the answer to its `joined`. */
export interface Start {
  readonly kind: 'start'
  /** From 1; a worker that takes the place of another one has its number. */
  readonly number: number
  readonly changedKeysMax: number
  /** Given to all but the first worker, which applies the definitions and syncs. */
  readonly definitions?: ServedDefinitions
}

export interface Changed {
  readonly kind: 'changed'
  readonly changed: Invalidation
}

/** `connection` comes with the socket; `reload` asks to read certificates again. */
export type ToWorker =
  | Start
  | Changed
  | { readonly kind: 'connection'; readonly edge: Edge; readonly id: number }
  | { readonly kind: 'stop' | 'reload' }

/**
 * `joined` is the first message: node:cluster drops those that come before a worker listens. `leaving` asks for no more
 * connections.
 */
export type FromWorker =
  | { readonly kind: 'joined' | 'leaving' }
  | { readonly kind: 'ready'; readonly ready: Ready }
  | { readonly kind: 'taken'; readonly edge: Edge; readonly id: number }
  | Changed
