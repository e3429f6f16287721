import type { LmdbLimits } from '../../src/online/lmdb/lmdb-options.ts'

export const LMDB_LIMITS: LmdbLimits
