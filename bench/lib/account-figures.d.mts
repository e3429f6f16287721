export const ACCOUNT_FIGURES: readonly string[]
export const MAY_BE_ZERO: RegExp
export function accountFigures(
  prefix: string,
  accounts: readonly object[],
): Readonly<Record<string, { readonly median: number; readonly min: number; readonly max: number }>>
