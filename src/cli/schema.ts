/** Column types by name, out of the server's description, for reading values from the command line. */
import type { Description } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'

type Columns = ReadonlyMap<string, string>

export function viewColumns(description: Description, name: string): { joinKeys: Columns; all: Columns } {
  const view = named(description.views, name, 'feature view')
  return { joinKeys: columnMap(view.joinKeys), all: columnMap([...view.joinKeys, ...view.features]) }
}

export function serviceColumns(description: Description, name: string): Columns {
  const service = named(description.services, name, 'feature service')
  return columnMap([...service.entityColumns, ...service.requestColumns])
}

function columnMap(columns: readonly { readonly name: string; readonly type: string }[]): Columns {
  return new Map(columns.map((column) => [column.name, column.type]))
}

function named<T extends { readonly name: string }>(items: readonly T[], name: string, what: string): T {
  const found = items.find((item) => item.name === name)
  if (found !== undefined) return found
  const known = items.map((item) => item.name)
  throw new TwinstoreError('NOT_FOUND', `unknown ${what} ${quotedName(name)}${knownNames(name, known)}`)
}
