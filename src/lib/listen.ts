/** Addresses that servers listen on, as people write them: `host:port`, of IPv6 `[host]:port`. */
import type { AddressInfo, Server } from 'node:net'

export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const split = address.lastIndexOf(':')
  return { host: address.slice(0, split).replace(/^\[|\]$/g, ''), port: Number(address.slice(split + 1)) }
}

export function withPort(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`
}

/** Resolves to the port, which a free one is taken for if it is 0. Rejects with the socket's error. */
export function listenOn(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(splitAddress(address), () => resolve((server.address() as AddressInfo).port))
  })
}
