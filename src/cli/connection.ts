import type { Command } from 'commander'
import type { TwinstoreClient } from '../client/index.ts'
import { environment } from '../config/environment.ts'
import { OPTIONS } from '../config/option-table.ts'
import { parseOption } from '../config/option-value.ts'
import { TwinstoreError } from '../domain/errors.ts'

export interface ConnectionOptions {
  readonly address?: string
  readonly timeout: string
  readonly json?: boolean
}

/** Adds `--address`, `--timeout` and `--json`, which every command that asks a server has. */
export function addConnectionFlags(command: Command, timeout: string): Command {
  return command
    .option('--address <host:port>', `the server (TWINSTORE_ADDRESS; default ${OPTIONS.grpc.default})`)
    .option('--timeout <duration>', 'how long to wait for the answer', timeout)
    .option('--json', 'print JSON for machines')
}

/** Runs `work` with a client of the server that the options name, and closes it. */
export async function withClient<T>(
  options: ConnectionOptions,
  work: (client: TwinstoreClient, deadlineMs: number) => Promise<T>,
): Promise<T> {
  const address = options.address ?? environment()['TWINSTORE_ADDRESS'] ?? OPTIONS.grpc.default
  // What a client is made of takes a while to load, and 10 MB of a server, which is started by the same program.
  const { connect } = await import('../client/index.ts')
  const client = connect(address)
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
  group: '',
  description: '',
} as const

function timeoutMs(text: string): number {
  const parsed = parseOption(TIMEOUT, text)
  if (!parsed.ok) throw new TwinstoreError('INVALID_ARGUMENT', `--timeout: ${parsed.problem}`)
  return parsed.value as number
}

/** A server that cannot be reached is the commonest fault; say how to start one. */
function explained(error: unknown): unknown {
  if (!(error instanceof TwinstoreError) || error.code !== 'UNAVAILABLE') return error
  const advice = 'start a server with `twinstore serve`, or name another with --address'
  return new TwinstoreError('UNAVAILABLE', `${error.message}\n${advice}`, { cause: error })
}
