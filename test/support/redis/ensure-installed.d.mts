export const HOW_TO_INSTALL: string

/** Why redis-server cannot be used here; undefined when it can. */
export function redisFault(): string | undefined

/** Installs redis-server where apt-get and the right to use it are there. Gives what is still wrong, as `redisFault`. */
export function ensureRedisInstalled(): string | undefined
