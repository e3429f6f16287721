/** Limits of an embedded store that no test reaches which is not about them. */
export const LMDB_LIMITS = {
  durability: 'machine',
  storeBytesMax: 64 * 1024 ** 3,
  outboxRowsMax: 5_000_000,
  outboxBytesMax: 8 * 1024 ** 3,
  writeIdRetentionSeconds: 24 * 3600,
  writeIdsMax: 1_000_000,
}
