/** The body of a request for features as `GetFeaturesRequest` bytes. */
import { TwinstoreError } from '../../domain/errors.ts'
import { lengthField, varintField } from '../../lib/wire.ts'
import type { Selection } from '../../serving/selection.ts'
import { encodeColumn, readEntities } from './entity-rows.ts'
import { jsonReader, Members } from './request-body.ts'
import type { KnownSelection } from './selection.ts'

const MEMBERS = ['feature_service', 'features', 'entities', 'consistency'] as const
const CONSISTENCIES = ['CACHED', 'FRESH'] as const
const CONSISTENCY_NUMBER = { CACHED: 1, FRESH: 2 }

/** Fields of `GetFeaturesRequest`. */
const FIELD = { featureService: 1, features: 2, columns: 3, consistency: 4 }
/** `known_layout`: field 6, fixed64. */
const KNOWN_LAYOUT_TAG = Buffer.from([0x31])

export interface FeatureRequest {
  readonly selection: KnownSelection
  readonly bytes: Buffer
}

export function readFeatureRequest(
  body: Buffer,
  selectionOf: (selection: Selection) => KnownSelection,
): FeatureRequest {
  const members = new Members(jsonReader(body), MEMBERS)
  const service = members.string('feature_service')
  const references = members.strings('features')
  if ((service === undefined) === (references === undefined)) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      'give either feature_service, the name of a service, or features, a list of view:feature',
    )
  }
  const selection = selectionOf(
    service === undefined ? { kind: 'features', references: references! } : { kind: 'service', name: service },
  )
  const entities = members.at('entities')
  if (entities === undefined) {
    const names = [...selection.columns.keys()].join(', ')
    throw new TwinstoreError('INVALID_ARGUMENT', `entities: not given; a list of rows, each with ${names}`)
  }
  const columns = readEntities(entities, selection.columns)
  const consistency = members.choice('consistency', CONSISTENCIES)
  members.end()
  return {
    selection,
    bytes: Buffer.concat([
      selectionField(service, references),
      ...columns.map((column) => lengthField(FIELD.columns, encodeColumn(column))),
      ...(consistency === undefined ? [] : [varintField(FIELD.consistency, CONSISTENCY_NUMBER[consistency])]),
      ...(selection.layout === undefined ? [] : [KNOWN_LAYOUT_TAG, selection.layout.id]),
    ]),
  }
}

function selectionField(service: string | undefined, references: readonly string[] | undefined): Buffer {
  if (service !== undefined) return lengthField(FIELD.featureService, Buffer.from(service))
  return lengthField(FIELD.features, Buffer.concat(references!.map((text) => lengthField(1, Buffer.from(text)))))
}
