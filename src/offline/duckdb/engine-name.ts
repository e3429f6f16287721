import { createRequire } from 'node:module'

/**
 * Raised when the bytes of a data set change for another reason than DuckDB: a pin made before then says so, instead of being taken
 * for one that cannot be reproduced. 2: no bloom filters in Parquet.
 */
const LAYOUT = 2

/** `duckdb 1.5.6-r.1, layout 2`, as pins record it; read without loading the engine, which the server itself never does. */
export function engineName(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('@duckdb/node-api/package.json')
  return `duckdb ${manifest.version}, layout ${LAYOUT}`
}
