/** Why a command got no answer that can be given out. Inside the link only: the router repeats it or says UNAVAILABLE. */
export type FaultKind =
  /** Not connected, or not known to be what the topology says it is. The command was not sent. */
  | 'not-ready'
  /** The connection ended before the reply. */
  | 'lost'
  /** No reply of the node for longer than `redis-silence-max`; what comes later is not trusted. */
  | 'silent'
  /** As `silent`, but it was this process that did not run: worth a second try at once. */
  | 'stalled'
  /** Executed, but fewer replicas than asked for have it. */
  | 'replicas'
  | 'closed'

export class LinkFault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string) {
    super(message)
    this.name = 'LinkFault'
    this.kind = kind
  }
}
