import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const PROTO = new URL('../../proto/', import.meta.url).pathname

test('the descriptors in the repository are those of the proto files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'twinstore-descriptors-'))
  try {
    execFileSync(process.execPath, [join(PROTO, 'build-descriptors.mjs'), join(dir, 'built')])
    const stored = readFileSync(join(PROTO, 'descriptors.binpb'))
    expect(stored.equals(readFileSync(join(dir, 'built'))), 'run npm run build:descriptors').toBe(true)
  } finally {
    rmSync(dir, { recursive: true })
  }
})
