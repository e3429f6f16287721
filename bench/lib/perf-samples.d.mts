import type { CategoryOf } from './profile-categories.mjs'

export const PERF_CATEGORIES: readonly string[]
export function countsOf(text: string, categoryOf: CategoryOf): ReadonlyMap<string, number>
