/**
 * Server reflection, so that tools such as grpcurl know the API without its proto files.
 *
 * The descriptors are those that buf compiled (`proto/build-descriptors.mjs`), not those proto-loader makes: in them
 * reserved ranges and map entries are wrong, and tools that check what they get refuse the whole service.
 */
import { readFileSync } from 'node:fs'
import type { PackageDefinition } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { WireReader } from '../../lib/wire.ts'
import type { ServiceRegistry } from './borrowed-services.ts'

/** The same place from `src/api/grpc` and from `dist/api/grpc`. */
const DESCRIPTORS = new URL('../../../proto/descriptors.binpb', import.meta.url)

export function addReflection(server: ServiceRegistry): void {
  // The reflection library looks at nothing of a package but its file descriptors.
  const files = { files: { fileDescriptorProtos: fileDescriptors() } } as unknown as PackageDefinition
  new ReflectionService(files).addToServer(server as Parameters<ReflectionService['addToServer']>[0])
}

/** `FileDescriptorSet { repeated FileDescriptorProto file = 1; }` */
function fileDescriptors(): Buffer[] {
  const reader = new WireReader(readFileSync(DESCRIPTORS))
  const files: Buffer[] = []
  while (reader.next()) files.push(reader.readBytes())
  return files
}
