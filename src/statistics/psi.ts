/**
 * The population stability index: how far one distribution over bins is from another.
 *
 *     PSI = sum over bins of (p - q) ln(p / q)
 *
 * with p and q the shares of the two populations in a bin. It is the symmetrized Kullback-Leibler divergence: 0 for equal
 * shares, never negative, the same in both directions.
 * Source: N. Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 8; B. Yurdakul, Statistical Properties of Population
 * Stability Index, Western Michigan University 2018, for its distribution: of two samples of n and m rows from one and the
 * same population, over B bins, it is about (B - 1)(1/n + 1/m) on average.
 *
 * A share of 0 has no logarithm and stands for `SHARE_MIN`: a value that is new in 1 % of the rows then gives 0.046.
 */
import assert from 'node:assert/strict'

export const SHARE_MIN = 0.0001

/** Of rows counted in the same bins; undefined if one of the populations has no rows. */
export function populationStabilityIndex(reference: readonly number[], current: readonly number[]): number | undefined {
  assert.equal(current.length, reference.length, 'the same bins')
  const referenceRows = sum(reference)
  const currentRows = sum(current)
  if (referenceRows === 0 || currentRows === 0) return undefined
  return sum(
    current.map((count, bin) => {
      const p = Math.max(SHARE_MIN, count / currentRows)
      const q = Math.max(SHARE_MIN, reference[bin]! / referenceRows)
      return (p - q) * Math.log(p / q)
    }),
  )
}

export type Drift = 'stable' | 'shifting' | 'drifted'

export interface DriftThresholds {
  /** Option `statistics-shifting`; customarily 0.1. */
  readonly shifting: number
  /** Option `statistics-drifted`; customarily 0.25. */
  readonly drifted: number
}

/** How the index is read. */
export function driftOf(psi: number, { shifting, drifted }: DriftThresholds): Drift {
  return psi >= drifted ? 'drifted' : psi >= shifting ? 'shifting' : 'stable'
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
