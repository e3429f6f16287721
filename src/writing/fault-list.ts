import { type Fault, faultsError, type TwinstoreError } from '../domain/errors.ts'

/**
 * The most faults kept of one request. A request can hold millions of values, and a list of a million faults helps
 * nobody: past this many the check stops and says so.
 */
const FAULTS_KEPT = 1000

/** Collects the faults of a request, each with its place, up to a bound. */
export class FaultList {
  readonly #faults: Fault[] = []

  get count(): number {
    return this.#faults.length
  }

  /** True when nothing further would be kept, so that the check can stop. */
  get full(): boolean {
    return this.#faults.length >= FAULTS_KEPT
  }

  add(at: string, problem: string): void {
    if (!this.full) this.#faults.push({ at, problem })
  }

  /** Forgets the faults after the first `count`, when a later finding explains them better. */
  truncate(count: number): void {
    this.#faults.length = count
  }

  error(summary: string): TwinstoreError {
    const listed = this.full
      ? [...this.#faults, { at: 'request', problem: `the check stopped after ${FAULTS_KEPT} faults` }]
      : this.#faults
    return faultsError('INVALID_ARGUMENT', summary, listed)
  }
}
