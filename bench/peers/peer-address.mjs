/**
 * `--peer` of the benchmarks: `[name=]grpc://host:port` or `[name=]http://host:port`, of a server that speaks Feast's protocol.
 *
 * Only a server on this machine is taken. Over a network, what is compared would be the network; and load is sent to nobody but
 * whoever started it.
 */
import { isIPv4 } from 'node:net'

const ADDRESS = /^(?:(?<name>[a-z][a-z0-9-]*)=)?(?<scheme>grpc|http):\/\/(?<host>[^/:]+|\[[^/]*\]):(?<port>\d{1,5})\/?$/
const PORT_MAX = 65_535
/** Contenders that are always there. */
const TAKEN = ['static', 'twinstore', 'fresh']

/** `{ name, scheme, target, text }` each; throws an Error that says what is wrong with which address. */
export function parsePeers(texts) {
  const names = [...TAKEN]
  return texts.map((text) => {
    const peer = parsePeer(text)
    if (names.includes(peer.name))
      throw new Error(`--peer ${text}: the name ${peer.name} is taken; put another name= before it`)
    names.push(peer.name)
    return peer
  })
}

function parsePeer(text) {
  const { name, scheme, host, port } = ADDRESS.exec(text)?.groups ?? {}
  if (scheme === undefined || Number(port) > PORT_MAX) {
    throw new Error(`--peer ${text}: it must be grpc://host:port or http://host:port, with name= before it if you like`)
  }
  if (!isLoopback(host)) {
    throw new Error(
      `--peer ${text}: ${host} is neither in 127.0.0.0/8 nor localhost. A peer runs on this machine: over a network the network ` +
        'would be measured, and load is not sent to other machines',
    )
  }
  return { name: name ?? `${scheme}-${port}`, scheme, target: `${host}:${port}`, text }
}

function isLoopback(host) {
  return host === 'localhost' || (isIPv4(host) && host.startsWith('127.'))
}
