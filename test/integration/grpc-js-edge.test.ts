/** The tests of the gRPC edge once more, over grpc-js: what a client sees must not depend on what carries it. */
import { describe } from 'vitest'
import { useTransport } from './grpc-fixture.ts'

useTransport('grpc-js')
for (const file of ['serving', 'server', 'export', 'resume', 'training-set', 'client']) {
  describe(`grpc-${file}`, async () => {
    await import(`./grpc-${file}.test.ts`)
  })
}
describe('compact-call', async () => {
  await import('./compact-call.test.ts')
})
