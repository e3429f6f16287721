/**
 * Whether a row is stale: older than its view's TTL at the moment asked about. A row exactly as old as the TTL is fresh.
 * Serving asks about now, a training set about the spine row's timestamp; both call this one rule.
 */
export function isStale(eventMicros: number, ttlMicros: number | undefined, atMicros: number): boolean {
  return ttlMicros !== undefined && atMicros - eventMicros > ttlMicros
}
