import type { PeerAddress } from './peer-address.mjs'

export interface Asked {
  readonly items: readonly number[]
  readonly features: number
}

export interface Peer {
  readonly name: string
  readonly target: string
  readonly wire: string
  readonly client: 'lean' | 'http1'
  readonly path: string
  request(asked: Asked): Buffer
  check(asked: Asked): Promise<Buffer>
}

export function openPeer(
  defer: (close: () => unknown) => void,
  address: PeerAddress,
  deadlineMs?: number,
): Promise<Peer>
