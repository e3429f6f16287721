/**
 * Writes `descriptors.binpb`: the compiled API, comments included, with the standard health service; what reflection gives out.
 *
 *     npm run build:descriptors
 *     node proto/build-descriptors.mjs <another file>
 *
 * It is compiled by buf and kept in the repository because the descriptors that proto-loader makes at run time are not
 * valid (reserved ranges and map entries), and clients such as grpcurl refuse them. A test holds the file to the sources.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['proto', 'node_modules/grpc-health-check/proto']

const build = (folder) =>
  execFileSync('node_modules/.bin/buf', ['build', folder, '--as-file-descriptor-set', '-o', '-#format=binpb'], {
    cwd: ROOT,
    maxBuffer: 2 ** 24,
  })

// Two file descriptor sets one after the other are one set with the files of both.
writeFileSync(process.argv[2] ?? new URL('descriptors.binpb', import.meta.url), Buffer.concat(FOLDERS.map(build)))
