/** From the members a request selects to its plan. Runs once per selection and registry; nothing here is on the hot path. */
import { faultsError, TwinstoreError } from '../domain/errors.ts'
import { toComputeValue } from '../domain/on-demand.ts'
import {
  columnName,
  type Definitions,
  type Feature,
  requestColumn,
  type ServiceMember,
  storageId,
  type ViewUse,
} from '../domain/registry.ts'
import { MISSING_VALUE, NULL_VALUE } from '../domain/row-codec.ts'
import { lengthField } from '../lib/wire.ts'
import { absentValue, defaultValue } from './default-value.ts'
import { evenKind } from './even-row.ts'
import { encodeLayout, type LayoutColumn } from './layout.ts'
import type { OnDemandInput, OnDemandPlan, Plan, Segment, UsePlan } from './plan.ts'
import { RequestColumns } from './request-columns.ts'
import { tensorLayout } from './tensor-layout.ts'

const NULL_FIELD_BYTES = lengthField(1, NULL_VALUE)
const UNSET_FIELD_BYTES = lengthField(1, MISSING_VALUE)

export function buildPlan(definitions: Definitions, members: readonly ServiceMember[], featuresMax: number): Plan {
  const builder = new PlanBuilder(definitions)
  for (const member of members) {
    if (member.kind === 'view') builder.addView(member.use)
    else builder.addOnDemand(member.view, member.features)
  }
  return builder.finish(featuresMax)
}

class PlanBuilder {
  private readonly definitions: Definitions
  private readonly requestColumns = new RequestColumns()
  private readonly uses: UsePlan[] = []
  private readonly useIndexes = new Map<string, number>()
  private readonly columns: LayoutColumn[] = []
  private readonly segments: Segment[] = []
  private readonly onDemand: OnDemandPlan[] = []

  constructor(definitions: Definitions) {
    this.definitions = definitions
  }

  addView(use: ViewUse): void {
    const index = this.useIndex(use)
    const { view, absentFields } = this.uses[index]!
    const ordinals = ordinalsOf(view.features, use.features)
    this.segments.push({
      kind: 'view',
      use: index,
      ordinals,
      walkCount: Math.max(-1, ...ordinals) + 1,
      isWhole: ordinals.length === view.features.length && ordinals.every((ordinal, place) => ordinal === place),
      evenKind: evenKind(view.features),
      firstColumn: this.columns.length,
      absent: Buffer.concat(ordinals.map((ordinal) => absentFields[ordinal]!)),
      nulls: Buffer.concat(ordinals.map(() => NULL_FIELD_BYTES)),
      unset: Buffer.concat(ordinals.map(() => UNSET_FIELD_BYTES)),
    })
    this.addColumns(use.as, view.features, ordinals)
  }

  addOnDemand(name: string, picked: readonly string[] | undefined): void {
    const view = this.definitions.registry.onDemandViews.get(name)
    if (view === undefined) throw unknownInRegistry(`on-demand view ${name}`)
    const ordinals = ordinalsOf(view.features, picked)
    const firstColumn = this.columns.length
    this.segments.push({ kind: 'onDemand', view: this.onDemandIndex(name), ordinals, firstColumn })
    this.addColumns(name, view.features, ordinals)
  }

  finish(featuresMax: number): Plan {
    if (this.columns.length > featuresMax) {
      const problem = `${this.columns.length} features, at most ${featuresMax} (features-max)`
      throw new TwinstoreError('INVALID_ARGUMENT', problem)
    }
    const { faults } = this.requestColumns
    if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'these cannot be answered together:', faults)
    const requestColumns = this.requestColumns.list
    const views = this.uses.map((use) => use.use.as)
    return {
      layout: encodeLayout(this.columns, views, this.definitions.registry.fingerprint),
      requestColumns,
      columnIndexes: new Map(
        requestColumns.map((column, index) => [Buffer.from(column.name, 'utf8').toString('latin1'), index]),
      ),
      uses: this.uses,
      segments: this.segments,
      onDemand: this.onDemand,
      looksUp: this.uses.some(({ view }) => view.onMiss !== undefined),
      tensor: tensorLayout(this.columns),
    }
  }

  private addColumns(as: string, features: readonly Feature[], ordinals: readonly number[]): void {
    for (const ordinal of ordinals) {
      const { name, type } = features[ordinal]!
      this.columns.push({ name: columnName(as, name), view: as, feature: name, type })
    }
  }

  /** Two uses with the same alias, view and key columns are one read, whatever each picks. */
  private useIndex(use: ViewUse): number {
    const view = this.definitions.registry.views.get(use.view)
    if (view === undefined) throw unknownInRegistry(`view ${use.view}`)
    if (!view.online) {
      throw new TwinstoreError(
        'FAILED_PRECONDITION',
        `view ${view.name} is offline only (online: false); its features are in exports and training sets`,
      )
    }
    const identity = JSON.stringify([use.view, use.as, view.joinKeys.map((key) => requestColumn(use, key.name))])
    const known = this.useIndexes.get(identity)
    if (known !== undefined) return known
    this.useIndexes.set(identity, this.uses.length)
    return (
      this.uses.push({
        use,
        view,
        keyPrefix: `${storageId(view)}/`,
        keyColumns: view.joinKeys.map((key) =>
          this.requestColumns.addKey(requestColumn(use, key.name), key.type, use.as),
        ),
        absentFields: view.features.map((feature) => lengthField(1, absentValue(feature))),
      }) - 1
    )
  }

  private onDemandIndex(name: string): number {
    const known = this.onDemand.findIndex((plan) => plan.view.name === name)
    if (known >= 0) return known
    const view = this.definitions.registry.onDemandViews.get(name)!
    const compute = this.definitions.computes.get(name)
    if (compute === undefined) throw unknownInRegistry(`function of on-demand view ${name}`)
    return (
      this.onDemand.push({
        view,
        compute,
        inputs: view.inputs.map((input) => this.inputOf(input)),
        request: view.request.map((feature) => ({
          name: feature.name,
          column: this.requestColumns.addFeature(feature, name),
          absent: toComputeValue(feature.type, defaultValue(feature)),
        })),
      }) - 1
    )
  }

  private inputOf(input: ViewUse): OnDemandInput {
    const use = this.useIndex(input)
    const { features } = this.uses[use]!.view
    const ordinals = ordinalsOf(features, input.features)
    return {
      as: input.as,
      use,
      ordinals,
      walkCount: Math.max(-1, ...ordinals) + 1,
      names: ordinals.map((ordinal) => features[ordinal]!.name),
      types: ordinals.map((ordinal) => features[ordinal]!.type),
      absent: ordinals.map((ordinal) => toComputeValue(features[ordinal]!.type, defaultValue(features[ordinal]!))),
    }
  }
}

function ordinalsOf(features: readonly Feature[], picked: readonly string[] | undefined): number[] {
  if (picked === undefined) return features.map((_, ordinal) => ordinal)
  return picked.map((name) => {
    const ordinal = features.findIndex((feature) => feature.name === name)
    if (ordinal < 0) throw unknownInRegistry(`feature ${name}`)
    return ordinal
  })
}

/** A registry is consistent in itself when it is applied, so this is not the fault of the request. */
function unknownInRegistry(what: string): TwinstoreError {
  return new TwinstoreError('INTERNAL', `the registry refers to ${what}, which it does not hold`)
}
