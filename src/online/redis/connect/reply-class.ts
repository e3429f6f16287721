/** What an error reply says about where a slot is and whether to ask again; anything else is the caller's business. */
import type { RedisReplyError } from '../redis-link.ts'
import type { RedisAddress } from './link-options.ts'

export type ReplyClass =
  | { readonly kind: 'moved' | 'ask'; readonly address: RedisAddress }
  /** Keys of one command are partly at another node. */
  | { readonly kind: 'tryagain' }
  /** The node cannot serve the slot now; it was not executed. */
  | { readonly kind: 'unable' }
  | { readonly kind: 'caller' }

/**
 * UNBLOCKED ends a WAIT at a primary that has been deposed, and "WAIT cannot be used" is its reply to a later one: the
 * command before the WAIT was executed, or refused with READONLY.
 */
const UNABLE = new Set(['CLUSTERDOWN', 'LOADING', 'MASTERDOWN', 'READONLY', 'BUSY', 'NOREPLICAS', 'UNBLOCKED'])

export function classOf(error: RedisReplyError): ReplyClass {
  if (error.code === 'MOVED' || error.code === 'ASK') {
    return { kind: error.code === 'MOVED' ? 'moved' : 'ask', address: redirection(error) }
  }
  if (error.code === 'TRYAGAIN') return { kind: 'tryagain' }
  if (UNABLE.has(error.code) || error.message.includes('WAIT cannot be used')) return { kind: 'unable' }
  return { kind: 'caller' }
}

/** `MOVED 3999 127.0.0.1:6381`; without a host it is the one that replied. */
function redirection(error: RedisReplyError): RedisAddress {
  const target = error.message.split(' ')[2] ?? ''
  const colon = target.lastIndexOf(':')
  const host = target.slice(0, colon) || error.node.slice(0, error.node.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return { host, port: Number(target.slice(colon + 1)) }
}
