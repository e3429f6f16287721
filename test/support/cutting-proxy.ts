/** A TCP proxy that breaks connections after a number of bytes from the server, so often and then no more. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy {
  readonly address: string
  readonly cuts: number
  /** Where connections go from now on. */
  target: string
  close(): Promise<void>
}

export async function startCuttingProxy(target: string, afterBytes: number, cutsMax: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const port = Number(proxy.target.slice(proxy.target.lastIndexOf(':') + 1))
    const upstream = connect(port, '127.0.0.1')
    let passed = 0
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', end)
    }
    client.pipe(upstream)
    upstream.on('data', (bytes) => {
      passed += bytes.length
      client.write(bytes)
      if (passed <= afterBytes || proxy.cuts >= cutsMax) return
      proxy.cuts++
      end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: 0,
    target,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
