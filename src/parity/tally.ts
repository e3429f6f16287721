/** What a comparison has found: how many keys of each class, and the faults in words, the first of them. */
import { decodeEntityKey, type KeyValue, type RowKey, splitRowKey } from '../domain/entity-key.ts'
import type { FeatureView } from '../domain/registry.ts'
import { rowVersion } from '../domain/row-codec.ts'
import type { Version } from '../domain/version.ts'
import type { Difference } from './row-differences.ts'
import type { TwinFault } from './verdict.ts'

/**
 * The class of every key that was looked at. Not at fault:
 *
 * - equal: the online row is the newest of the history, with the same values.
 * - pending: its newest row is online and waits to be archived, or came while the key was looked at.
 * - syncing: its newest row is of a sync that has not brought everything online yet, or was broken off.
 * - expired: its newest row is older than the view's TTL, and online as it should be or shown in no answer.
 * - notKept: not online, and its view keeps some of its entities online only (`keepOnline`); which ones is not compared.
 * - unchecked: a shard did not answer, or the run's limit was reached.
 *
 * At fault:
 *
 * - mismatch: the same version with other values.
 * - staleOnline: the online row is older than the newest one.
 * - missingOnline: no online row.
 * - missingOffline: the online row is neither in the history nor in the outbox.
 * - unreadable: the online row is damaged.
 */
export const FAULT_CLASSES = ['mismatch', 'staleOnline', 'missingOnline', 'missingOffline', 'unreadable'] as const
export const COUNTED = ['equal', 'pending', 'syncing', 'expired', 'notKept', 'unchecked', ...FAULT_CLASSES] as const
export type FaultClass = (typeof FAULT_CLASSES)[number]
export type CountedClass = (typeof COUNTED)[number]
export type ClassCounts = Readonly<Record<CountedClass, number>>

/** A fault in words and numbers. */
export interface Finding {
  readonly kind: FaultClass
  /** Join-key values in canonical order. */
  readonly entity: readonly KeyValue[]
  /** For people: `origin=ATL,destination=ORD`. */
  readonly entityText: string
  /** The version that is online, where there is a readable one. */
  readonly online?: Version
  /** The newest version that history and outbox have, where there is one. */
  readonly offline?: Version
  readonly differences: readonly Difference[]
  /** What more there is to say: why a row cannot be read. */
  readonly detail?: string
  readonly repair: RepairOutcome
}

export type RepairOutcome =
  | { readonly kind: 'none' }
  /** What was done, in words. */
  | { readonly kind: 'repaired'; readonly action: string }
  | { readonly kind: 'failed'; readonly reason: string }

export class Tally {
  readonly #findingsMax: number
  readonly #counts = Object.fromEntries(COUNTED.map((kind) => [kind, 0])) as Record<CountedClass, number>
  readonly findings: Finding[] = []
  repaired = 0
  /** Why keys were not checked, each reason once. */
  readonly problems = new Set<string>()

  constructor(findingsMax: number) {
    this.#findingsMax = findingsMax
  }

  get counts(): ClassCounts {
    return this.#counts
  }

  get keys(): number {
    return COUNTED.reduce((sum, kind) => sum + this.#counts[kind], 0)
  }

  get faults(): number {
    return FAULT_CLASSES.reduce((sum, kind) => sum + this.#counts[kind], 0)
  }

  count(kind: CountedClass, keys = 1): void {
    this.#counts[kind] += keys
  }

  unchecked(reason: string, keys = 1): void {
    this.count('unchecked', keys)
    this.problems.add(reason)
  }

  fault(view: FeatureView, key: RowKey, fault: TwinFault, repair: RepairOutcome): void {
    this.count(fault.kind)
    if (repair.kind === 'repaired') this.repaired++
    if (this.findings.length < this.#findingsMax) this.findings.push(findingOf(view, key, fault, repair))
  }
}

function findingOf(view: FeatureView, key: RowKey, fault: TwinFault, repair: RepairOutcome): Finding {
  const online = 'online' in fault ? fault.online : undefined
  const offline = fault.kind === 'missingOffline' ? fault.kept : fault.expected
  return {
    kind: fault.kind,
    ...entityOf(view, key),
    ...(online === undefined ? {} : { online: rowVersion(online) }),
    ...(offline === undefined ? {} : { offline: rowVersion(offline) }),
    differences: fault.kind === 'mismatch' ? fault.differences : [],
    ...(fault.kind === 'unreadable' ? { detail: fault.error.message } : {}),
    repair,
  }
}

/** A key that is damaged itself is named by its bytes. */
function entityOf({ joinKeys }: FeatureView, key: RowKey): Pick<Finding, 'entity' | 'entityText'> {
  const { entityKey } = splitRowKey(key)
  try {
    const types = joinKeys.map(({ type }) => type)
    const entity = decodeEntityKey(types, entityKey)
    return { entity, entityText: joinKeys.map(({ name }, index) => `${name}=${entity[index]}`).join(',') }
  } catch {
    return { entity: [], entityText: `key ${Buffer.from(entityKey, 'latin1').toString('hex')}` }
  }
}
