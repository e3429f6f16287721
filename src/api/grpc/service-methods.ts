/** Every service of the API with its methods, for whatever carries them. */
import type { ServiceMethods } from '../../grpc/method.ts'
import { adminMethods } from './admin-methods.ts'
import { offlineMethods } from './offline-methods.ts'
import type { ServiceName } from './protocol.ts'
import type { GrpcServerOptions } from './server-parts.ts'
import { servingMethods } from './serving-methods.ts'

export function serviceMethods({
  serving,
  writes,
  offline,
  admin,
  limits,
}: Pick<GrpcServerOptions, 'serving' | 'writes' | 'offline' | 'admin' | 'limits'>): Readonly<
  Record<ServiceName, ServiceMethods>
> {
  return {
    Serving: servingMethods(serving, writes, limits.streamWindow),
    Offline: offlineMethods(offline),
    Admin: adminMethods(admin),
  }
}
