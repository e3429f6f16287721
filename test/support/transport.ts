/** What carries gRPC in this run of a test: `vitest.config.ts` runs the tests of the edge once over each transport, all others over lean. */
import { once } from 'node:events'
import { connect } from 'node:http2'
import { inject } from 'vitest'
import type { Transport } from '../../src/api/grpc/server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    transport: Transport
  }
}

export const TRANSPORT: Transport = inject('transport')

/** What each tells its clients of their window: the default of `http2-stream-window-bytes`, and what Node says when it is told nothing. */
const WINDOW_BYTES: Readonly<Record<number, Transport>> = { [256 * 1024]: 'lean', 65535: 'grpc-js' }

/** Which transport serves the address, by what it says of itself on the wire. */
export async function transportAt(address: string): Promise<Transport | undefined> {
  const session = connect(`http://${address}`)
  try {
    const [settings] = await once(session, 'remoteSettings')
    return WINDOW_BYTES[settings.initialWindowSize]
  } finally {
    session.destroy()
  }
}
