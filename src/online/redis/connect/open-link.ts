/** Opens the link: finds the servers, checks them, connects, and begins tracking. */
import { readFile } from 'node:fs/promises'
import { TwinstoreError } from '../../../domain/errors.ts'
import type { RedisLink } from '../redis-link.ts'
import { CLUSTER_NODES, ClusterTopology, viewOf } from './cluster-topology.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Connection, ConnectionOptions } from './connection.ts'
import { fixedTopology } from './fixed-topology.ts'
import { Heartbeat } from './heartbeat.ts'
import { LinkFault } from './link-fault.ts'
import { addressName, type LinkOptions, locationName, type RedisAddress } from './link-options.ts'
import { Members } from './members.ts'
import type { RedisNode } from './node.ts'
import { checkLocation, checkServer, openError } from './open-checks.ts'
import { openConnection } from './open-connection.ts'
import { pauseFor } from './pauses.ts'
import { Router } from './router.ts'
import type { Topology } from './topology.ts'
import type { Changed } from './tracker.ts'

/**
 * Resolves when every primary that can be reached is connected and tracked. Rejects with FAILED_PRECONDITION for what
 * must be changed in the configuration, here or in Redis, and with UNAVAILABLE when no primary answers.
 */
export async function openRedisLink(options: LinkOptions): Promise<RedisLink> {
  const { location, clock } = options
  const name = locationName(location)
  checkLocation(location)
  const connection = {
    location,
    tlsCa: await readCa(location.tlsCaFile),
    connectTimeoutMs: options.connectTimeoutMs,
    clock,
  }
  const listeners = new Listeners()
  const heartbeat = new Heartbeat(clock, options.heartbeatMs)
  const members = new Members({ ...options, ...connection, heartbeat }, (changed) => listeners.report(changed))
  try {
    const topology = await openTopology(options, connection, heartbeat, members, () => listeners.report('all'))
    await awaitReady(topology, members, options)
    return linkOver(topology, new Router(topology, clock, name), name, listeners, heartbeat)
  } catch (error) {
    heartbeat.stop()
    members.close()
    throw openError(error, name)
  }
}

function linkOver(
  topology: Topology,
  router: Router,
  location: string,
  listeners: Listeners,
  heartbeat: Heartbeat,
): RedisLink {
  return {
    location,
    send: (tag, command, options) => router.send(tag, command, options),
    sendToPrimaries: (command, timeoutMs) => router.sendToPrimaries(command, timeoutMs),
    watch: (listener) => listeners.add(listener),
    async close() {
      router.close()
      heartbeat.stop()
      topology.close()
    },
  }
}

async function openTopology(
  options: LinkOptions,
  connection: ConnectionOptions,
  heartbeat: Heartbeat,
  members: Members,
  onMoved: () => void,
): Promise<Topology> {
  const { location } = options
  if (location.kind === 'standalone') {
    const address = location.nodes[0]!
    await visit(address, connection, (visited) => checkServer((command) => visited.send(command), address, options))
    return fixedTopology(address, members)
  }
  const findCluster = (): Promise<ClusterView> => askAnySeed(options, connection)
  const first = await findCluster()
  return new ClusterTopology(first, { link: options, heartbeat, members, onMoved, findAgain: findCluster })
}

/** The view of whichever node of the location answers first and passes the checks. */
async function askAnySeed(options: LinkOptions, connection: ConnectionOptions): Promise<ClusterView> {
  const { nodes, tls } = options.location
  const visits = nodes.map((address) =>
    visit(address, connection, async (visited) => {
      await checkServer((command) => visited.send(command), address, options)
      const sentAtMs = options.clock.monotonicMs()
      return viewOf(address, await visited.send(CLUSTER_NODES), sentAtMs, tls)
    }),
  )
  try {
    return await Promise.any(visits)
  } catch (error) {
    const { errors } = error as AggregateError
    // A node that answers and is refused says more than one that is not there.
    throw errors.find((each) => !(each instanceof LinkFault)) ?? errors[0]
  }
}

async function visit<T>(
  address: RedisAddress,
  options: ConnectionOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await openConnection(address, options)
  // A node that hangs after the login would keep the visit waiting.
  let isLate = false
  const limit = options.clock.after(options.connectTimeoutMs, () => {
    isLate = true
    connection.close()
  })
  try {
    return await use(connection)
  } catch (error) {
    if (!isLate) throw error
    const late = `${addressName(address)} did not say within ${options.connectTimeoutMs} ms what it is`
    throw new LinkFault('not-ready', `${late} (redis-connect-timeout)`)
  } finally {
    limit.cancel()
    connection.close()
  }
}

/** A primary that is down does not keep an instance from starting: its slots are UNAVAILABLE and the others serve. */
async function awaitReady(topology: Topology, members: Members, options: LinkOptions): Promise<void> {
  const { clock, connectTimeoutMs, location } = options
  const limit = pauseFor(clock, connectTimeoutMs)
  await Promise.race([limit, Promise.all(topology.primaries().map((node) => node.started))])
  const uncovered = topology.uncoveredSlots()
  if (uncovered > 0) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `${locationName(location)}: ${uncovered} of 16384 slots are held by no node; see redis-cli --cluster check`,
    )
  }
  const primaries = topology.primaries()
  const up = primaries.filter((node) => node.isUp)
  if (up.length === 0) throw primaries[0]?.fault
  const refused = primaries.find((node) => !node.isUp && !(node.fault instanceof LinkFault))
  if (refused !== undefined) throw refused.fault
  await Promise.all(up.map((node) => prepare(node, members, options, limit)))
}

async function prepare(node: RedisNode, members: Members, options: LinkOptions, limit: Promise<void>): Promise<void> {
  await checkServer((command) => node.ask(command), node.address, options)
  const isLate = await Promise.race([limit.then(() => true), members.tracker(node.name)?.started])
  if (isLate)
    throw new LinkFault(
      'not-ready',
      `${addressName(node.address)} did not begin tracking in time (redis-connect-timeout)`,
    )
}

async function readCa(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file)
  } catch (error) {
    throw new TwinstoreError('FAILED_PRECONDITION', `redis-tls-ca: ${(error as Error).message}`, { cause: error })
  }
}

class Listeners {
  readonly #listeners = new Set<(changed: Changed) => void>()

  add(listener: (changed: Changed) => void): () => void {
    // Wrapped, so that a function given twice is called twice and removed once.
    const own = (changed: Changed): void => listener(changed)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** A listener that throws does not keep the news from the others, nor break the connection it came by. */
  report(changed: Changed): void {
    for (const listener of this.#listeners) {
      try {
        listener(changed)
      } catch (error) {
        process.emitWarning(error as Error)
      }
    }
  }
}
