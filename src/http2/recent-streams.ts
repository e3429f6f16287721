/**
 * The streams that we reset lately: frames of theirs may still be on their way and are ignored (RFC 9113, section 5.1), while on a
 * stream that the peer has ended they are a fault. Only so many are remembered; of an older one a frame is taken for such a fault.
 */
const REMEMBERED_MAX = 1024

export class RecentStreams {
  readonly #ids = new Set<number>()

  add(stream: number): void {
    this.#ids.add(stream)
    if (this.#ids.size > REMEMBERED_MAX) for (const oldest of this.#ids) return void this.#ids.delete(oldest)
  }

  has(stream: number): boolean {
    return this.#ids.has(stream)
  }
}
