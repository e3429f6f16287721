/**
 * Whether a reply may be given out: the rule against nodes that were deposed while they were paused.
 *
 * A primary that stops running (SIGSTOP, a hanging disk, a frozen virtual machine) is deposed no earlier than
 * cluster-node-timeout after it last ran. When it runs again it may execute commands before it learns of that, and answer
 * with values older than writes its successor has acknowledged. Such an execution comes more than the node timeout after the
 * node last ran. A command that was answered ran after it was sent; so the node last ran at `aliveSentAtMs` (the time the latest
 * answered command was sent) or later. A reply that arrives within `silenceMaxMs`, below the node timeout, of
 * that was made by a node that cannot have been deposed; a later one is not given out, whatever it says.
 *
 * The chain begins with other nodes vouching for the node (`isVouchedFor`), and begins anew when it breaks.
 */
export class Trust {
  readonly #silenceMaxMs: number
  #aliveSentAtMs: number
  #broken = false

  constructor(silenceMaxMs: number, vouchedAtMs: number) {
    this.#silenceMaxMs = silenceMaxMs
    this.#aliveSentAtMs = vouchedAtMs
  }

  get aliveSentAtMs(): number {
    return this.#aliveSentAtMs
  }

  /** Silent for too long: nothing that comes from now on counts. */
  isBroken(nowMs: number): boolean {
    if (nowMs - this.#aliveSentAtMs > this.#silenceMaxMs) this.#broken = true
    return this.#broken
  }

  /** A reply to a command sent at `sentAtMs` is here; false: it must not be given out. */
  accept(sentAtMs: number, nowMs: number): boolean {
    if (this.isBroken(nowMs)) return false
    if (sentAtMs > this.#aliveSentAtMs) this.#aliveSentAtMs = sentAtMs
    return true
  }
}
