import { createRequire } from 'node:module'

/** `duckdb 1.5.6-r.1`, as pins record it; read without loading the engine, which the server itself never does. */
export function engineName(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('@duckdb/node-api/package.json')
  return `duckdb ${manifest.version}`
}
