/** SQL sources: the pieces become one text in which `{{n}}` stands for the n-th file. */
import type { SourceFile, SqlSource } from '../../domain/registry.ts'
import { declarationOf, type FileDeclaration, type SqlDeclaration } from '../builders/declarations.ts'
import type { FaultScope } from './fault-scope.ts'
import { FILES_PER_SOURCE_MAX, SQL_LENGTH_MAX } from './limits.ts'
import { described, readChoice, readFields } from './option-fields.ts'

const PLACEHOLDER = /\{\{\d+\}\}/

export function checkSource(scope: FaultScope, raw: unknown): SqlSource | undefined {
  const declared = declarationOf(raw)
  if (declared?.kind !== 'sql') {
    scope.add(`expected a source written with the template sql\`...\`, got ${described(raw)}`)
    return undefined
  }
  const files: SourceFile[] = []
  const sql = flatten(scope, declared, files).trim()
  if (sql === '') scope.add('the SQL is empty')
  if (sql.length > SQL_LENGTH_MAX) scope.add(`${sql.length} characters of SQL; at most ${SQL_LENGTH_MAX}`)
  if (files.length > FILES_PER_SOURCE_MAX) scope.add(`${files.length} files; at most ${FILES_PER_SOURCE_MAX}`)
  return { sql, files }
}

function flatten(scope: FaultScope, declared: SqlDeclaration, files: SourceFile[]): string {
  return declared.texts
    .map((text, index) => {
      const placeholder = PLACEHOLDER.exec(text)
      if (placeholder)
        scope.add(`${placeholder[0]} in SQL stands for a file and cannot be written by hand; use file(...)`)
      return index < declared.values.length ? text + piece(scope, declared.values[index], files) : text
    })
    .join('')
}

function piece(scope: FaultScope, raw: unknown, files: SourceFile[]): string {
  const declared = declarationOf(raw)
  if (declared?.kind === 'sql') return flatten(scope, declared, files)
  if (declared?.kind !== 'file') {
    scope.add(
      `only file(...) and sql\`...\` can be put into SQL, got ${described(raw)}; write values into the SQL itself`,
    )
    return ''
  }
  const file = checkFile(scope, declared)
  const known = files.findIndex((other) => other.name === file.name && other.location === file.location)
  return `{{${known >= 0 ? known : files.push(file) - 1}}}`
}

function checkFile(scope: FaultScope, declared: FileDeclaration): SourceFile {
  const options = readFields(scope, declared.options, ['at', 'format'])
  const name = readPath(scope, 'the name of a file', declared.name)
  const location = options['at'] === undefined ? name : readPath(scope.in(`file ${name}`), '`at`', options['at'])
  if (location.startsWith('npm:') && !/^npm:(@[^/]+\/)?[^/@][^/]*\/./.test(location)) {
    scope.add(`${location} is not npm:<package>/<path>`)
  }
  const extension = /\.(parquet|csv)(\.gz|\.zst)?$/.exec(location)?.[1] as SourceFile['format'] | undefined
  if (extension === undefined && options['format'] === undefined) {
    scope.add(`file ${name}: cannot tell the format of ${location}; give format: 'parquet' or 'csv'`)
  }
  const format = readChoice(scope.in(`file ${name}`), options['format'], ['parquet', 'csv'], extension ?? 'parquet')
  return { name, location, format }
}

function readPath(scope: FaultScope, what: string, raw: unknown): string {
  if (typeof raw === 'string' && raw !== '' && !raw.includes('\0')) return raw
  scope.add(`${what} must be a non-empty string, got ${described(raw)}`)
  return '?'
}
