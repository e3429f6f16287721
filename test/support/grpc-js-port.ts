/** A server of grpc-js on a free port of loopback. */
import { type Server, ServerCredentials } from '@grpc/grpc-js'

/** Resolves to the port. */
export function boundPort(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    )
  })
}
