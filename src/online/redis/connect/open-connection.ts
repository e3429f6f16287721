/**
 * Opens connections: connects, logs in and asks for a first answer, within one limit.
 *
 * The login is made of commands here, for both kinds: ioredis prints a warning and goes on when a password is refused as superfluous.
 */
import type { RedisCommand } from '../redis-link.ts'
import type { Connection, ConnectionOptions, SubscribableConnection } from './connection.ts'
import { IoredisConnection } from './ioredis-connection.ts'
import { LinkFault } from './link-fault.ts'
import type { RedisAddress } from './link-options.ts'
import { ReadConnection } from './read-connection.ts'

/** For any command. Logged in and answering; rejects with `RedisReplyError` (login, database) or `LinkFault`. */
export function openConnection(address: RedisAddress, options: ConnectionOptions): Promise<SubscribableConnection> {
  return opened(new IoredisConnection(address, options), options, [])
}

/** For reads; `mayLag`: for those that a replica may answer, to which it says READONLY. Rejects as `openConnection` does. */
export function openReadConnection(
  address: RedisAddress,
  options: ConnectionOptions,
  { mayLag }: { readonly mayLag: boolean },
): Promise<Connection> {
  return opened(new ReadConnection(address, options), options, mayLag ? [{ name: 'READONLY', args: [] }] : [])
}

async function opened<Opened extends Connection>(
  connection: Opened,
  { location, connectTimeoutMs, clock }: ConnectionOptions,
  further: readonly RedisCommand[],
): Promise<Opened> {
  // A paused node still accepts connections, its kernel does that: the limit is on the first answer.
  let isLate = false
  const limit = clock.after(connectTimeoutMs, () => {
    isLate = true
    connection.close()
  })
  try {
    await connection.connected
    const commands: RedisCommand[] = []
    if (location.password !== undefined) {
      const user = location.username === undefined ? [] : [location.username]
      commands.push({ name: 'AUTH', args: [...user, location.password] })
    }
    if (location.database !== 0) commands.push({ name: 'SELECT', args: [location.database] })
    commands.push(...further, { name: 'PING', args: [] })
    const replies = await Promise.allSettled(commands.map((command) => connection.send(command)))
    for (const reply of replies) if (reply.status === 'rejected') throw reply.reason
    return connection
  } catch (error) {
    connection.close()
    if (!isLate) throw error
    throw new LinkFault(
      'lost',
      `${connection.node} did not answer within ${connectTimeoutMs} ms (redis-connect-timeout)`,
    )
  } finally {
    limit.cancel()
  }
}
