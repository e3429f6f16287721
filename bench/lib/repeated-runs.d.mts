export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function asOne<Measured extends { readonly figures: Readonly<Record<string, Spread>> }>(
  list: readonly Measured[],
): Measured
