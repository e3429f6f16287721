export interface PeerAddress {
  readonly name: string
  readonly scheme: 'grpc' | 'http'
  readonly target: string
  readonly text: string
}

export function parsePeers(texts: readonly string[]): PeerAddress[]
