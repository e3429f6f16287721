import { KEY_TYPES, type KeyType } from '../../domain/entity-key.ts'
import type { Entity, JoinKey } from '../../domain/registry.ts'
import { declarationOf, type EntityDeclaration } from '../builders/declarations.ts'
import type { FaultScope } from './fault-scope.ts'
import { checkColumnName } from './names.ts'
import { asRecord, described, readDescription, readFields } from './option-fields.ts'

export function checkEntity(scope: FaultScope, declared: EntityDeclaration): Entity {
  const single = declarationOf(declared.keys)
  const keys = single === undefined ? asRecord(declared.keys) : { [String(declared.name)]: declared.keys }
  if (keys === undefined || Object.keys(keys).length === 0) {
    scope.add(
      `expected string(), int64(), or several by name ({ origin: string(), ... }), got ${described(declared.keys)}`,
    )
  }
  const options = readFields(scope, declared.options, ['description'])
  return {
    name: checkColumnName(scope, declared.name),
    joinKeys: Object.entries(keys ?? {})
      .map(([name, type]) =>
        checkJoinKey(single === undefined ? scope.in(name) : scope, name, type, single === undefined),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...readDescription(scope, options['description']),
  }
}

function checkJoinKey(scope: FaultScope, name: string, raw: unknown, hasOwnName: boolean): JoinKey {
  if (hasOwnName) checkColumnName(scope, name)
  const declared = declarationOf(raw)
  const type: KeyType | undefined =
    declared?.kind === 'type' ? KEY_TYPES.find((known) => known === declared.type) : undefined
  if (type === undefined) {
    const given = declared?.kind === 'type' ? `${declared.type}()` : described(raw)
    scope.add(`a join key is string() or int64(), got ${given}: only these have one form as a key`)
  } else if (declared?.kind === 'type' && declared.options !== undefined) {
    scope.add('a join key takes no options: it is always given')
  }
  return { name, type: type ?? 'string' }
}
