import { test } from 'vitest'
import { serverKillTest } from './server-kill.ts'

/** Over each transport. */
const KILLS = 25

test(`no acknowledged row is lost or doubled over ${KILLS} kills`, { timeout: 400_000 }, () =>
  serverKillTest({ kills: KILLS, lifeMsMax: 1200, startMsMax: 700, rowsPerLife: 0, flags: () => [] }),
)
