import type { Command } from 'commander'
import type { TwinstoreClient } from '../client/index.ts'
import { parseOption } from '../config/option-value.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { explained } from './explained.ts'
import { addServerFlags, openClient, type ServerFlags } from './server-address.ts'

export interface ConnectionOptions extends ServerFlags {
  readonly timeout: string
  readonly json?: boolean
}

/** Adds `--address`, the flags of TLS, `--timeout` and `--json`, which every command that asks a server has. */
export function addConnectionFlags(command: Command, timeout: string): Command {
  return addServerFlags(command)
    .option('--timeout <duration>', 'how long to wait for the answer', timeout)
    .option('--json', 'print JSON for machines')
}

/** Runs `work` with a client of the server that the options name, and closes it. */
export async function withClient<T>(
  options: ConnectionOptions,
  work: (client: TwinstoreClient, deadlineMs: number) => Promise<T>,
): Promise<T> {
  const client = await openClient(options)
  try {
    return await work(client, timeoutMs(options.timeout))
  } catch (error) {
    throw explained(error)
  } finally {
    client.close()
  }
}

const TIMEOUT = {
  kind: 'duration',
  default: 0,
  min: 1,
  max: 7 * 24 * 3_600_000,
  description: '',
} as const

function timeoutMs(text: string): number {
  const parsed = parseOption(TIMEOUT, text)
  if (!parsed.ok) throw new TwinstoreError('INVALID_ARGUMENT', `--timeout: ${parsed.problem}`)
  return parsed.value as number
}
