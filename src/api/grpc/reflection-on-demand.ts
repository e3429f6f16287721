/**
 * Reflection on the lean transport, whose library is loaded when somebody asks for the first time: it needs grpc-js, and both together
 * take 6 MB and a tenth of a second of every server that nobody asks.
 */
import type { MessageStream, Method } from '../../grpc/method.ts'
import { borrowedServices } from './borrowed-services.ts'

const PATHS = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`)

/** Adds the methods by their paths. */
export function addReflectionOnDemand(into: Map<string, Method>): void {
  let loading: Promise<ReadonlyMap<string, Method>> | undefined
  for (const path of PATHS) {
    into.set(path, {
      kind: 'push',
      async handle(stream: MessageStream, call) {
        loading ??= loadReflection()
        const method = (await loading).get(path)
        if (method?.kind === 'push') await method.handle(stream, call)
      },
    })
  }
}

async function loadReflection(): Promise<ReadonlyMap<string, Method>> {
  const { addReflection } = await import('./reflection.ts')
  const methods = new Map<string, Method>()
  addReflection(borrowedServices(methods))
  return methods
}
