/**
 * Plans by selection, for as long as the definitions are the same object.
 *
 * A selection is looked up by its bytes as they stand in the request, so that a known one is never parsed. Bound:
 * `bytesMax` of estimated size, the least recently used plan leaving first. Failures are not kept: they would let
 * mistyped names push out plans.
 */
import { LRUCache } from 'lru-cache'
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { WireReader } from '../lib/wire.ts'
import { buildPlan } from './build-plan.ts'
import type { Plan } from './plan.ts'
import { FEATURES_FIELD } from './request-head.ts'
import { type Selection, selectedMembers } from './selection.ts'

export interface PlanCacheOptions {
  /** Estimated bytes of all plans (option `plan-cache-bytes`). */
  readonly bytesMax: number
  readonly featuresMax: number
}

/** A column's share of a plan: its layout bytes and the objects about it, generously. */
const COLUMN_BYTES = 1024

/** The plan of a selection, given as `RequestHead.selection`. */
export function createPlanCache(source: DefinitionsSource, options: PlanCacheOptions): (selection: string) => Plan {
  const plans = new LRUCache<string, Plan>({
    maxSize: options.bytesMax,
    sizeCalculation: (plan, selection) => selection.length + COLUMN_BYTES * (1 + plan.layout.columns.length),
  })
  let madeFrom = source.current
  return (selection) => {
    const definitions = source.current
    if (definitions !== madeFrom) {
      plans.clear()
      madeFrom = definitions
    }
    const known = plans.get(selection)
    if (known !== undefined) return known
    const members = selectedMembers(definitions.registry, parseSelection(selection), options.featuresMax)
    const plan = buildPlan(definitions, members, options.featuresMax)
    plans.set(selection, plan)
    return plan
  }
}

function parseSelection(selection: string): Selection {
  const bytes = Buffer.from(selection, 'latin1')
  const body = bytes.subarray(1)
  if (bytes[0] !== FEATURES_FIELD) return { kind: 'service', name: body.toString('utf8') }
  const references: string[] = []
  const reader = new WireReader(body)
  while (reader.next()) {
    if (reader.field === 1) references.push(reader.readString())
    else reader.skip()
  }
  return { kind: 'features', references }
}
