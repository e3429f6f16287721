/**
 * Which files of a log folder are checkpoints ("Checkpoints" in the protocol): `n.checkpoint.parquet`, or in parts,
 * `n.checkpoint.o.p.parquet`, which count only if all p are there. Files of the second specification carry a UUID
 * (`n.checkpoint.u.parquet`); a table that has them asks for a reader feature that Twinstore refuses.
 */
export interface Checkpoint {
  readonly version: number
  /** Names in the log folder, in the order of the parts. */
  readonly names: readonly string[]
}

export const LAST_CHECKPOINT = '_last_checkpoint'

export function versionDigits(version: number): string {
  return String(version).padStart(20, '0')
}

export function checkpointName(version: number): string {
  return `${versionDigits(version)}.checkpoint.parquet`
}

/** The complete checkpoints among these names, the newest first; of several for a version the one in one file. */
export function completeCheckpoints(names: Iterable<string>): readonly Checkpoint[] {
  const parts = new Map<string, { readonly version: number; readonly count: number; readonly names: string[] }>()
  for (const name of names) {
    const found = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$/.exec(name)
    if (!found) continue
    const count = Number(found[3] ?? 1)
    const identity = `${found[1]}/${found[3] ?? ''}`
    const group = parts.get(identity) ?? { version: Number(found[1]), count, names: [] }
    parts.set(identity, group)
    group.names.push(name)
  }
  const complete = [...parts.values()].filter((group) => group.names.length === group.count)
  const newestFirst = complete.sort((a, b) => b.version - a.version || a.count - b.count)
  return newestFirst
    .filter((group, index) => group.version !== newestFirst[index - 1]?.version)
    .map(({ version, names }) => ({ version, names: names.sort() }))
}

/** The version that `_last_checkpoint` points to; undefined if it is damaged, which costs no more than a longer listing. */
export function lastCheckpointVersion(bytes: Buffer): number | undefined {
  try {
    const { version } = JSON.parse(bytes.toString('utf8')) as { readonly version?: unknown }
    return typeof version === 'number' && Number.isInteger(version) && version >= 0 ? version : undefined
  } catch {
    return undefined
  }
}
