/**
 * Serves the interoperability test service on the lean transport until it is told to stop, for the clients of other languages:
 *
 *     node test/support/interop/serve.mjs [port]
 */
import { startInteropServer } from './interop-server.mjs'

const server = await startInteropServer(Number(process.argv[2] ?? 0))
console.log(`ready grpc 127.0.0.1:${server.port}`)
process.once('SIGTERM', () => server.close())
