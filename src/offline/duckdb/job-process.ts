/**
 * The entry of a child process that runs jobs. It lives no longer than the server: when the channel to its host (`job-host.ts`) closes,
 * however that or the server ended, this process ends at once and with it whatever query runs.
 */
import { asTwinstoreError } from '../../domain/errors.ts'
import { systemClock } from '../../lib/clock.ts'
import { errorData, type FromChild, type ToChild } from './job-messages.ts'
import { runJob } from './job-runner.ts'

const running = new Map<number, AbortController>()

process.on('message', (message: ToChild) => {
  if (message.type === 'cancel') running.get(message.id)?.abort()
  else void run(message)
})

// A plain exit would wait for DuckDB's threads; there is nobody left to wait for them.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

// Ctrl-C and service managers signal the whole group. The server decides when its jobs end: it drains first.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

async function run({ id, kind, input, settings }: ToChild & { type: 'run' }): Promise<void> {
  const controller = new AbortController()
  running.set(id, controller)
  try {
    const output = await runJob(kind, input, settings, systemClock, {
      signal: controller.signal,
      onProgress: (progress) => send({ type: 'progress', id, progress }),
    })
    send({ type: 'done', id, output })
  } catch (error) {
    send({ type: 'failed', id, error: errorData(asTwinstoreError(error)) })
  } finally {
    running.delete(id)
  }
}

function send(message: FromChild): void {
  if (process.connected) process.send!(message)
}
