/** An S3 server of the tests, and a line to it on which requests fail in one way or another. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type FaultProxy, S3_FAULTS, startFaultProxy } from '../support/s3/fault-proxy.ts'
import { useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'

export interface FaultyS3 {
  readonly server: S3Server
  readonly proxy: FaultProxy
  readonly bucket: string
  /** For what is read past the proxy. */
  readonly cacheDir: string
  /** From now on this share of the requests fails. */
  inject(share: number, random: () => number): void
  /** A run on a line that held proves nothing. */
  expectFaults(more: number): void
}

/** Gone when the test has finished. */
export async function startFaultyS3(): Promise<FaultyS3> {
  const cacheDir = mkdtempSync(join(tmpdir(), 'twinstore-faulty-s3-'))
  onTestFinished(() => rmSync(cacheDir, { recursive: true, force: true }))
  const server = await startS3Server()
  onTestFinished(() => server.dispose())
  useCredentials(server.credentials)
  const proxy = await startFaultProxy(server.endpoint)
  onTestFinished(() => proxy.dispose())
  return {
    server,
    proxy,
    bucket: await server.makeBucket(),
    cacheDir,
    inject(share, random) {
      proxy.inject(() => (random() < share ? S3_FAULTS[Math.floor(random() * S3_FAULTS.length)] : undefined))
    },
    expectFaults(more) {
      const faults = proxy.requests.filter(({ fault }) => fault !== undefined).length
      console.log(`${faults} faults in ${proxy.requests.length} requests`)
      expect(faults).toBeGreaterThan(more)
    },
  }
}
