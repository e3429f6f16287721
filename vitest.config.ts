import { defineConfig } from 'vitest/config'

/**
 * What a client of gRPC sees must not depend on what carries it: these run over each transport, in a project of its name; and why these is
 * in docs/transport.md, "Tested over both".
 */
const OVER_EACH_TRANSPORT = [
  'test/integration/grpc-*.test.ts',
  'test/integration/bad-input-{reads,writes,offline}.test.ts',
  'test/integration/{resilience-cancelled,serve-drain,workers}.test.ts',
  'test/crash/{server-kill,server-kill-s3,rebuild-kill,schedule-kill}.test.ts',
]

type Transport = 'lean' | 'grpc-js'

const project = (name: string, transport: Transport, include: string[], exclude: string[] = []) => ({
  test: {
    name,
    include,
    exclude,
    provide: { transport },
    pool: 'forks' as const,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})

export default defineConfig({
  test: {
    // Two cores: more files at once only make each other slow. Not of the projects, where no `--maxWorkers` would change it.
    maxWorkers: 2,
    projects: [
      project('once', 'lean', ['test/**/*.test.ts'], OVER_EACH_TRANSPORT),
      project('lean', 'lean', OVER_EACH_TRANSPORT),
      project('grpc-js', 'grpc-js', OVER_EACH_TRANSPORT),
    ],
  },
})
