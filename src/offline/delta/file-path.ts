/**
 * Paths of data files: in the object store as they are, in the log as relative URIs (RFC 2396, as the protocol says).
 * `:` is escaped too, because a reader may take what is before it for a scheme.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import { FieldFault } from './json-fields.ts'

export function encodeFilePath(path: string): string {
  return encodeURI(path).replace(/[?#:]/g, (character) => encodeURIComponent(character))
}

/** Throws `FieldFault` for what does not name a file, FAILED_PRECONDITION for a file outside the table. */
export function decodeFilePath(uri: string): string {
  if (/^([a-zA-Z][a-zA-Z0-9+.-]*:|\/)/.test(uri)) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `Delta file ${uri} is outside its table's folder (a shallow clone?), which is not supported; copy the table whole`,
    )
  }
  let path: string
  try {
    path = decodeURIComponent(uri)
  } catch {
    throw new FieldFault(`path ${uri} has a malformed escape`)
  }
  if (path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw new FieldFault(`path ${uri} does not name a file inside the table's folder`)
  }
  return path
}
