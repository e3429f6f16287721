/**
 * The checker: whether a history keeps G1, G2 and G3 (docs of the design: dual write, order, the next request sees it).
 *
 * Pure, and independent of the product: it knows acknowledgements, what reads saw and what the offline history holds, and judges
 * one by the others. Time and memory are linear in the history but for sorting.
 */
import { checkDualWrite } from './check-dual-write.ts'
import { checkOrder } from './check-order.ts'
import { checkReads } from './check-reads.ts'
import type { History } from './history.ts'
import { keyHistory } from './key-history.ts'

export type Rule = 'G1' | 'G2' | 'G3'

/** Found by a part of the checker. */
export interface Finding {
  readonly rule: Rule
  /** Undefined when it concerns no key that was written. */
  readonly key: number | undefined
  /** What is wrong with which row or read, in one line. */
  readonly problem: string
  /** The moment to look at in the history. */
  readonly atMs: number
}

export interface Violation extends Finding {
  /** All that happened to the key, in order of time. */
  readonly history: string
}

/** Violations beyond these are counted in the last one's problem instead of spelled out: one fault makes thousands. */
const SPELLED_OUT_MAX = 20

export function check(history: History): Violation[] {
  const findings = [...checkDualWrite(history), ...checkOrder(history), ...checkReads(history)]
  const shown = findings.slice(0, SPELLED_OUT_MAX).map((finding) => ({
    ...finding,
    history: finding.key === undefined ? '' : keyHistory(history, finding.key, finding.atMs),
  }))
  const last = shown.at(-1)
  if (last === undefined || findings.length === shown.length) return shown
  return [...shown.slice(0, -1), { ...last, problem: `${last.problem} (and ${findings.length - shown.length} more)` }]
}
