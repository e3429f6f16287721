export const HOW_TO_INSTALL: string
/** Why the S3 server cannot be used here; undefined when it can. */
export function s3Fault(): string | undefined
/** Installs the server where apt-get and the right to use it are there. Gives what is still wrong, as `s3Fault`. */
export function ensureS3Installed(): string | undefined
