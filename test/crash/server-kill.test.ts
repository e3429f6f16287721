import { test } from 'vitest'
import { serverKillTest } from './server-kill.ts'

test('no acknowledged row is lost or doubled over 50 kills', { timeout: 400_000 }, () =>
  serverKillTest({ kills: 50, lifeMsMax: 1200, startMsMax: 700, rowsPerLife: 0, flags: () => [] }),
)
