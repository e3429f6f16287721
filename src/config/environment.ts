/** The process's environment, for the shell; everything else gets values from the configuration. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env
}
