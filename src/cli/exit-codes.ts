import type { ErrorCode } from '../domain/errors.ts'

/** What the exit code of a failed command means; 0 is success, 1 an internal error, 130 an interrupt. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  INTERNAL: 1,
  INVALID_ARGUMENT: 2,
  NOT_FOUND: 3,
  ALREADY_EXISTS: 4,
  FAILED_PRECONDITION: 4,
  ABORTED: 9,
  UNAVAILABLE: 5,
  DEADLINE_EXCEEDED: 5,
  RESOURCE_EXHAUSTED: 6,
  DATA_LOSS: 7,
  CANCELLED: 130,
}

/** Some views were synced and others failed. */
export const PARTLY_FAILED_EXIT = 8

/** The two stores differ, and it is not mended. */
export const TWINS_DIFFER_EXIT = 10

export const EXIT_CODES_HELP = `Exit codes: 0 done; 1 internal error; 2 wrong usage or input; 3 not found; 4 refused in the present state;
5 server unavailable or too slow; 6 a limit was reached; 7 corrupt data; 8 done in part; 9 another run of the same work is under way
or came first; 10 the two stores differ; 130 interrupted.`
