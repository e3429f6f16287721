/** Names of figures that a scenario says it brings: what budget.json and the tests hold it to. */

/** Those of one histogram. */
export const PERCENTILES = ['p50_ms', 'p90_ms', 'p99_ms', 'p999_ms']

/** Those of `compare`: of the subject, of its baseline, and of their ratio. */
export function compared(prefix, baseline, names) {
  return names.flatMap((name) => [`${prefix}${name}`, `${prefix}${baseline}_${name}`, `${prefix}${name}_ratio`])
}
