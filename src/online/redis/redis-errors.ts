/** What error replies of Redis mean to a request, in one table. */
import { type ErrorCode, TwinstoreError } from '../../domain/errors.ts'
import { RedisReplyError } from './redis-link.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly problem: string
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  OOM: {
    code: 'RESOURCE_EXHAUSTED',
    problem:
      'Redis has reached maxmemory; nothing was written, reads go on: raise maxmemory, add primaries, or remove views that are not needed online',
  },
  NOPERM: {
    code: 'FAILED_PRECONDITION',
    problem:
      'the Redis user may not run this command: allow it ~* +@all, or at least +@read +@write +@scripting +@connection',
  },
  WRONGTYPE: {
    code: 'FAILED_PRECONDITION',
    problem:
      'a key of this project holds something else, nothing was written: give Twinstore a database or a project name of its own',
  },
  NOAUTH: { code: 'FAILED_PRECONDITION', problem: 'Redis asks for a password: set redis-password' },
  READONLY: {
    code: 'UNAVAILABLE',
    problem: 'this node is a replica and takes no writes: give the primary, or redis+cluster:// for a Cluster',
  },
  MISCONF: {
    code: 'UNAVAILABLE',
    problem: 'Redis refuses writes because it cannot save to disk: look at its log and its disk',
  },
  NOREPLICAS: {
    code: 'UNAVAILABLE',
    problem: 'Redis refuses writes because too few replicas are connected (its min-replicas-to-write)',
  },
  CLUSTERDOWN: { code: 'UNAVAILABLE', problem: 'the Redis Cluster does not serve this slot at the moment' },
  TRYAGAIN: { code: 'UNAVAILABLE', problem: 'the slot is being moved to another node; try again when it has arrived' },
  LOADING: { code: 'UNAVAILABLE', problem: 'Redis is loading its data from disk' },
  BUSY: { code: 'UNAVAILABLE', problem: 'Redis is busy running a script' },
}

/** Redis 6.2 wraps the error of a command in a script into one of the script, so it is not always the first word. */
const KNOWN = new RegExp(`\\b(${Object.keys(MEANINGS).join('|')})\\b`)

/** Anything that came out of the link, as the error of a request; a `TwinstoreError` stays as it is. */
export function redisError(error: unknown): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  if (!(error instanceof RedisReplyError)) {
    const detail = error instanceof Error ? error.message : String(error)
    return new TwinstoreError('INTERNAL', `internal error: ${detail}`, { cause: error })
  }
  const meaning = MEANINGS[KNOWN.exec(error.message)?.[1] ?? '']
  if (meaning === undefined) {
    return new TwinstoreError('INTERNAL', `Redis at ${error.node} answered: ${error.message}`, { cause: error })
  }
  return new TwinstoreError(meaning.code, `Redis at ${error.node}: ${meaning.problem}`, { cause: error })
}
