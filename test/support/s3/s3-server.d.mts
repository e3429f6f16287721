export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface S3Server {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  readonly region: string
  /** Of the user who owns the buckets. */
  readonly credentials: S3Credentials
  /** Another user, who has no rights on the buckets of the first. */
  addUser(): S3Credentials
  /** An empty bucket; gives its name. */
  makeBucket(): Promise<string>
  /** The variables by which the SDK finds these credentials; those of the owner unless others are given. */
  environment(credentials?: S3Credentials): Record<'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY', string>
  /** SIGSTOP to the gateway: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  dispose(): Promise<void>
}

/** Resolves when it answers. Rejects with its last log lines, or with how to install it. */
export function startS3Server(): Promise<S3Server>
