/** What the option tables count in: bytes, and milliseconds. */
export const KiB = 2 ** 10
export const MiB = 2 ** 20
export const GiB = 2 ** 30
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
