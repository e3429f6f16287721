/** The server that a command asks: its flags, and a client made from them. */
import type { Command } from 'commander'
import type { TlsOptions, TwinstoreClient } from '../client/index.ts'
import { type ClientConfig, loadClientConfig } from '../config/client-config.ts'
import { environment } from '../config/environment.ts'
import { CLIENT_OPTIONS } from '../config/options/client.ts'
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import { readPem } from '../lib/pem.ts'
import { optionFlag } from './option-flags.ts'

/** As commander gives them. */
export interface ServerFlags {
  readonly address?: string | undefined
  readonly tls?: boolean | undefined
  readonly tlsCa?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly tlsServerName?: string | undefined
}

/** `--address`, and the flags of TLS. */
export function addServerFlags(command: Command): Command {
  return addTlsFlags(command.addOption(optionFlag('address', CLIENT_OPTIONS.address)))
}

export function addTlsFlags(command: Command): Command {
  const { address: _, ...ofTls } = CLIENT_OPTIONS
  for (const [name, spec] of Object.entries(ofTls)) command.addOption(optionFlag(name, spec))
  return command
}

/** INVALID_ARGUMENT, naming flags and files, if they cannot be used. */
export async function openClient(flags: ServerFlags): Promise<TwinstoreClient> {
  const { address, tls, tlsCa, tlsCert, tlsKey, tlsServerName } = flags
  const config = loadClientConfig({
    flags: {
      address,
      tls,
      'tls-ca': tlsCa,
      'tls-cert': tlsCert,
      'tls-key': tlsKey,
      'tls-server-name': tlsServerName,
    },
    environment: environment(),
  })
  // Node tells of an IP address where TLS has the name of the server; nobody who runs a command could do anything about it.
  process.noDeprecation = true
  // What a client is made of takes a while to load, and 10 MB of a server, which is started by the same program.
  const { connect } = await import('../client/index.ts')
  try {
    return connect(config.address, { tls: tlsOf(config) })
  } catch (error) {
    throw error instanceof TwinstoreError && error.faults.length > 0 ? inFlags(error, config) : error
  }
}

function tlsOf(config: ClientConfig): TlsOptions | boolean {
  const given = {
    ...pem(config, 'ca'),
    ...pem(config, 'cert'),
    ...pem(config, 'key'),
    ...(config['tls-server-name'] === '' ? {} : { serverName: config['tls-server-name'] }),
  }
  return Object.keys(given).length > 0 ? given : config.tls === 'on'
}

function pem<K extends 'ca' | 'cert' | 'key'>(config: ClientConfig, member: K): { [P in K]?: Buffer } {
  const file = config[`tls-${member}`]
  if (file === '') return {}
  try {
    return { [member]: readPem(file, (bytes) => bytes).bytes } as { [P in K]?: Buffer }
  } catch (error) {
    throw new TwinstoreError('INVALID_ARGUMENT', `--tls-${member} ${(error as Error).message}`, { cause: error })
  }
}

/** What the client library says of its options, said of the flags that they come from. */
function inFlags(error: TwinstoreError, config: ClientConfig): TwinstoreError {
  const faults = error.faults.map(({ at, problem }): Fault => {
    const member = at.slice('tls.'.length) as 'ca' | 'cert' | 'key'
    return { at: `--tls-${member} ${config[`tls-${member}`]}`, problem }
  })
  return faultsError(error.code, 'the certificates are not usable:', faults)
}
