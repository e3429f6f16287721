export type CategoryOf = (called: { readonly name: string; readonly url: string }) => string | undefined

export const SERVER_CATEGORIES: readonly string[]
export const LOAD_CATEGORIES: readonly string[]
export const categoryOfServer: CategoryOf
export const categoryOfLoad: CategoryOf
