/** What DuckDB says went wrong, as a `TwinstoreError`. Its errors are told apart by the first words of their messages. */
import { TwinstoreError } from '../../domain/errors.ts'

/** Faults of the SQL or of the files it names, as opposed to faults of this program or machine. */
const STATEMENT_FAULT =
  /^(Binder|Catalog|Parser|Conversion|Invalid|Invalid Input|Invalid Type|IO|Missing Extension|Not implemented|Out of Range|Mismatch Type|Syntax|Permission|Constraint|Divide by Zero) Error/i

/** What DuckDB was seen to say of Parquet files that were truncated, overwritten in places or removed. */
const CORRUPT_FILE =
  /No magic bytes|too small to be a Parquet file|corrupt|TProtocolException|don't know what type|Out of buffer|Failed to read file|No files found/i

const DISK_FULL = /No space left on device/i

/**
 * `subject` names whose SQL it is ("the source of view airport_daily"); with it, faults of the statement are the
 * author's and become INVALID_ARGUMENT, without it they are ours.
 */
export function mapDuckdbError(error: unknown, subject?: string): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (/^INTERRUPT Error/i.test(message))
    return new TwinstoreError('CANCELLED', 'the work was cancelled', { cause: error })
  if (/^Out of Memory Error/i.test(message)) return exhausted(message, error)
  if (DISK_FULL.test(message)) {
    return new TwinstoreError('RESOURCE_EXHAUSTED', `the disk is full: ${message}`, { cause: error })
  }
  if (subject !== undefined && STATEMENT_FAULT.test(message)) {
    return new TwinstoreError('INVALID_ARGUMENT', `${subject}: ${statementFault(message)}`, { cause: error })
  }
  if (CORRUPT_FILE.test(message)) {
    return new TwinstoreError('DATA_LOSS', `an offline file cannot be read: ${message}`, { cause: error })
  }
  return new TwinstoreError('INTERNAL', `DuckDB: ${message}`, { cause: error })
}

/** Without our own statement, the reader's settings and the path of the file on this server, none of which the author wrote. */
function statementFault(message: string): string {
  const [fault] = message.split(/\n+(?:LINE \d+: DESCRIBE| {2}file = )/)
  return fault!.replace(/'[^'\n]*\/spine-[^'/\n]*'/g, 'the file that was sent')
}

function exhausted(message: string, cause: unknown): TwinstoreError {
  const firstLine = message.split('\n', 1)[0]!
  const limit = /max_temp_directory_size/.test(message)
    ? 'the spill folder is full (option offline-spill-bytes-max)'
    : 'the job needs more memory than it may use (option offline-memory)'
  return new TwinstoreError('RESOURCE_EXHAUSTED', `${limit}: ${firstLine}`, { cause })
}
