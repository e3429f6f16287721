/** The standard health service, for the server as a whole (`''`) and for each of its services. */
import type { ServerWritableStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import type { ServiceRegistry } from './borrowed-services.ts'
import { fullName } from './protocol.ts'

const NAMES = ['', fullName('Serving'), fullName('Offline'), fullName('Admin')]

export interface Health {
  setServing(serving: boolean): void
  /** Ends open `Watch` calls, which would otherwise keep a draining server waiting for ever. */
  endWatches(): void
}

/** Adds the service to the server; not serving at first. */
export function addHealth(server: ServiceRegistry): Health {
  const health = new HealthImplementation(Object.fromEntries(NAMES.map((name) => [name, 'NOT_SERVING'])))
  const watches = new Set<ServerWritableStream<unknown, unknown>>()
  health.addToServer({
    addService: (definition, implementation) => {
      const watch = implementation['watch'] as (call: ServerWritableStream<unknown, unknown>) => void
      server.addService(definition as ServiceDefinition, {
        ...(implementation as UntypedServiceImplementation),
        watch(call: ServerWritableStream<unknown, unknown>): void {
          watches.add(call)
          call.once('cancelled', () => watches.delete(call))
          watch(call)
        },
      })
    },
  })
  return {
    setServing(serving) {
      for (const name of NAMES) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING')
    },
    endWatches() {
      for (const call of watches) call.end()
    },
  }
}
