/** Times that say what a deadline is, over either transport; milliseconds. */

/** A client that gives up so shortly before the deadline does so because of it: its time began when it sent the call, ours when that was read. */
export const DEADLINE_SLACK_MS = 25

/** The longest delay timers take; a later deadline needs none. */
export const TIMER_MS_MAX = 0x7fffffff
