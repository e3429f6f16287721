export const HOW_TO_INSTALL: string

/** Why redis-server cannot be used here; undefined when it can. */
export function redisFault(): string | undefined
