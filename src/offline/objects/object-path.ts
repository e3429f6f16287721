/**
 * What a path in an object store may look like: the rules that hold for a folder and for S3 alike, so that a store can be
 * copied from one to the other.
 */
import { TwinstoreError } from '../../domain/errors.ts'

/** The longest key S3 takes, and the longest file name of the usual file systems, in UTF-8 bytes. */
const PATH_BYTES_MAX = 1024
const SEGMENT_BYTES_MAX = 255

/** Throws INVALID_ARGUMENT unless `path` names an object. */
export function checkPath(path: string): void {
  const problem = pathProblem(path)
  if (problem !== undefined) throw badPath(path, problem)
}

/** Throws INVALID_ARGUMENT unless `prefix` can begin a path; it may be empty and may end with a part of a name. */
export function checkPrefix(prefix: string): void {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const problem = folder === '' ? segmentProblem(prefix) : pathProblem(folder.slice(0, -1))
  if (problem !== undefined && prefix !== '') throw badPath(prefix, problem)
}

function pathProblem(path: string): string | undefined {
  if (Buffer.byteLength(path, 'utf8') > PATH_BYTES_MAX) return `longer than ${PATH_BYTES_MAX} bytes`
  for (const segment of path.split('/')) {
    const problem = segmentProblem(segment)
    if (problem !== undefined) return problem
  }
  return undefined
}

function segmentProblem(segment: string): string | undefined {
  if (segment === '') return 'empty name (a path is relative, without a leading, trailing or double slash)'
  if (segment === '.' || segment === '..') return `"${segment}" is not a name`
  if (segment.includes('\0') || segment.includes('\\')) return 'NUL and backslash are not allowed'
  if (!segment.isWellFormed()) return 'not well-formed Unicode'
  if (Buffer.byteLength(segment, 'utf8') > SEGMENT_BYTES_MAX) return `a name longer than ${SEGMENT_BYTES_MAX} bytes`
  return undefined
}

function badPath(path: string, problem: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', `object path ${JSON.stringify(path)}: ${problem}`)
}
