/**
 * What went wrong with a request to S3: in words that say what to do, whether it is worth another try, and whether the
 * request may have been carried out all the same.
 *
 * The names are those of S3's error codes, of the SDK and of Node's network errors. What is not known here is told in the
 * store's own words.
 */
import { type ErrorCode, TwinstoreError } from '../../../domain/errors.ts'

export interface S3Fault {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined
  /** S3's error code, or the name of what happened instead of an answer. */
  readonly name: string
  readonly code: ErrorCode
  readonly problem: string
  readonly isTransient: boolean
  /** A request that changes something may have changed it: its answer was lost, or is of a server that failed midway. */
  readonly mayHaveLanded: boolean
}

/** What messages name. */
export interface S3Place {
  readonly bucket: string
  /** The endpoint given, or AWS S3 and its region. */
  readonly endpoint: string
}

/** As the SDK throws them; every field may be missing. */
interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly Code?: string
  readonly code?: string
  readonly Region?: string
  readonly Endpoint?: string
  readonly cause?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

/** An answer that did not come in time, or ended before its end. */
export class BrokenAnswer extends Error {
  readonly how: 'timeout' | 'cut'

  constructor(how: 'timeout' | 'cut') {
    super(how)
    this.name = 'BrokenAnswer'
    this.how = how
  }
}

export function s3Fault(cause: unknown, place: S3Place): S3Fault {
  if (cause instanceof TwinstoreError) return { ...OURS, code: cause.code, problem: cause.message }
  const error = (cause instanceof Error ? cause : {}) as SdkError
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode
  const name = error.Code ?? error.name ?? 'unknown'
  const said = error.message && !/^(UnknownError|Unknown)$/.test(error.message) ? ` (${error.message})` : ''
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name]!(error, place) : undefined
  if (known !== undefined) return { status, name, isTransient: false, mayHaveLanded: false, ...known }
  const own = networkFault(error, place) ?? statusFault(status, name, said, place)
  return { status, name, ...own }
}

/** What is no fault of the request (a full disk here) is not cured by another one. */
const OURS = { status: undefined, name: 'TwinstoreError', isTransient: false, mayHaveLanded: false } as const

/** The error for the caller, naming the object; what is no fault of the request stays what it is. */
export function s3Error(
  cause: unknown,
  place: S3Place,
  location: string,
  path: string,
  attempts: number,
): TwinstoreError {
  if (cause instanceof TwinstoreError) return cause
  const { code, problem, isTransient } = s3Fault(cause, place)
  const tries = isTransient ? ` (attempts: ${attempts}, option s3-attempts-max)` : ''
  return new TwinstoreError(code, `${location}: ${path === '' ? '' : `${path}: `}${problem}${tries}`, { cause })
}

type Known = Pick<S3Fault, 'code' | 'problem'> & Partial<S3Fault>

const KNOWN: Readonly<Record<string, (error: SdkError, place: S3Place) => Known>> = {
  NoSuchBucket: (_, { bucket, endpoint }) => ({
    code: 'FAILED_PRECONDITION',
    problem: `there is no bucket ${bucket} at ${endpoint}; make it, or correct --offline or --s3-endpoint`,
  }),
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  InvalidAccessKeyId: () => ({
    code: 'FAILED_PRECONDITION',
    problem: 'the store does not know the access key; check AWS_ACCESS_KEY_ID, the profile or the role',
  }),
  SignatureDoesNotMatch: () => ({
    code: 'FAILED_PRECONDITION',
    problem: 'the secret access key does not match the access key; check AWS_SECRET_ACCESS_KEY or the profile',
  }),
  ExpiredToken: expired,
  TokenRefreshRequired: expired,
  InvalidToken: expired,
  AccessDenied: denied,
  AllAccessDisabled: denied,
  CredentialsProviderError: () => ({
    code: 'FAILED_PRECONDITION',
    problem:
      'no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role',
  }),
  RequestTimeTooSkewed: (error) => ({
    code: 'FAILED_PRECONDITION',
    problem:
      `the clock of this machine is too far off the store's${serverTime(error)}; ` +
      'set it by NTP: versions of rows are times too',
  }),
  QuotaExceeded: full,
  XMinioStorageFull: full,
  SlowDown: (_, { endpoint }) => ({
    code: 'UNAVAILABLE',
    problem: `${endpoint} asks for fewer requests (SlowDown)`,
    isTransient: true,
  }),
  ConditionalRequestConflict: (_, { endpoint }) => ({
    code: 'UNAVAILABLE',
    problem: `${endpoint} had another request for the same object under way (ConditionalRequestConflict)`,
    isTransient: true,
  }),
}

function wrongRegion(error: SdkError, { bucket, endpoint }: S3Place): Known {
  const region = error.Region ?? error.$response?.headers?.['x-amz-bucket-region']
  const elsewhere = error.Endpoint === undefined ? 'in another region' : `at ${error.Endpoint}`
  return {
    code: 'FAILED_PRECONDITION',
    problem:
      region === undefined
        ? `bucket ${bucket} is ${elsewhere}, not at ${endpoint}; set --s3-region to the region of the bucket`
        : `bucket ${bucket} is in region ${region}, which is not the one asked (${endpoint}); set --s3-region ${region}`,
  }
}

function expired(): Known {
  return { code: 'FAILED_PRECONDITION', problem: 'the session token is expired or not valid; get new credentials' }
}

function denied(_: SdkError, { bucket }: S3Place): Known {
  return {
    code: 'FAILED_PRECONDITION',
    problem: `the store denies access: the credentials lack a right on bucket ${bucket} (docs/s3.md has the policy they need)`,
  }
}

function full(): Known {
  return { code: 'RESOURCE_EXHAUSTED', problem: 'the store is full, or a quota of it is used up' }
}

function serverTime(error: SdkError): string {
  const date = error.$response?.headers?.['date']
  return date === undefined ? '' : ` (there it is ${date})`
}

const NOT_REACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
const TLS = /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO)/

type OwnFault = Omit<S3Fault, 'status' | 'name'>

function networkFault(error: SdkError, { endpoint }: S3Place): OwnFault | undefined {
  const code = error.code ?? (error.cause as SdkError | undefined)?.code ?? ''
  if (NOT_REACHED.has(code)) {
    const problem = `${endpoint} cannot be reached (${code}); check --s3-endpoint, and that the store runs`
    return { code: 'UNAVAILABLE', problem, isTransient: true, mayHaveLanded: false }
  }
  if (TLS.test(code)) {
    const problem =
      `no safe connection to ${endpoint} (${code}): http is spoken where https is asked, or its certificate is not ` +
      'trusted (NODE_EXTRA_CA_CERTS names a file with more to trust)'
    return { code: 'FAILED_PRECONDITION', problem, isTransient: false, mayHaveLanded: false }
  }
  const broken = brokenness(error, code)
  if (broken === undefined) return undefined
  return { code: 'UNAVAILABLE', problem: `${endpoint} ${broken}`, isTransient: true, mayHaveLanded: true }
}

function brokenness(error: SdkError, code: string): string | undefined {
  const late = error.name === 'TimeoutError' || error.name === 'RequestTimeout'
  if (late || (error instanceof BrokenAnswer && error.how === 'timeout')) {
    return 'did not answer in time (options s3-connect-timeout, s3-request-timeout)'
  }
  if (error instanceof BrokenAnswer) return 'broke off its answer'
  // ECONNRESET, EPIPE, a head that is no HTTP (HPE_...): Node's errors have codes, those of the SDK have not.
  return code === '' ? undefined : `broke off the connection (${code})`
}

function statusFault(status: number | undefined, name: string, said: string, place: S3Place): OwnFault {
  const { endpoint } = place
  if (status === 403) return { ...denied({}, place), isTransient: false, mayHaveLanded: false }
  if (status === 507) return { ...full(), isTransient: false, mayHaveLanded: false }
  if (status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    return {
      code: 'UNAVAILABLE',
      problem: `${endpoint} answered ${status} ${name}${said}`,
      isTransient: true,
      mayHaveLanded: status !== 429,
    }
  }
  // Digests and lengths that do not fit: the body was damaged or cut on its way there, and refused.
  if (/^(BadDigest|IncompleteBody|XAmzContentSHA256Mismatch|InvalidDigest)$/.test(name)) {
    return {
      code: 'UNAVAILABLE',
      problem: `${endpoint} got other bytes than were sent (${name})`,
      isTransient: true,
      mayHaveLanded: false,
    }
  }
  if (status !== undefined && status >= 300) {
    const problem = `${endpoint} refused: ${status} ${name}${said}`
    return { code: 'FAILED_PRECONDITION', problem, isTransient: false, mayHaveLanded: false }
  }
  if (status === undefined) {
    const problem = /region is missing/i.test(said)
      ? 'no region is set; give --s3-region, or set AWS_REGION or the region of the profile'
      : `the request was not sent: ${name}${said}`
    return { code: 'FAILED_PRECONDITION', problem, isTransient: false, mayHaveLanded: true }
  }
  // An answer that is not S3's (a proxy's page, a body cut within its XML): it says nothing of what was done.
  return {
    code: 'UNAVAILABLE',
    problem: `the answer of ${endpoint} is not one that S3 gives (status ${status}); check --s3-endpoint`,
    isTransient: true,
    mayHaveLanded: true,
  }
}
