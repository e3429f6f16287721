/**
 * The entry of the process that starts job processes for a server and passes on what the two say to each other.
 *
 * The server does not start them itself because it would stand still meanwhile: fork(2) copies the page tables of all its memory,
 * which took 100 ms and more with a gigabyte of cached rows, and every request waits for that. This process is started while the
 * server is small, and stays small.
 *
 * It lives no longer than the server. When it ends, however it does, the channels to its job processes close, and they end too.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { setPriority } from 'node:os'
import type { FromHost, ToHost } from './job-messages.ts'

const children = new Map<number, ChildProcess>()

process.on('message', (message: ToHost) => {
  switch (message.type) {
    case 'start':
      start(message)
      break
    case 'post':
      // With a callback a channel that is closed is no error: `ended` says so.
      children.get(message.process)?.send(message.message, () => {})
      break
    case 'kill':
      children.get(message.process)?.kill('SIGKILL')
  }
})

process.on('disconnect', () => process.exit())

// As in the job processes: the server decides when its jobs end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

function start({ process: id, module, nice }: ToHost & { type: 'start' }): void {
  // No flags of this process are passed on: they may load what only this process needs.
  const child = fork(new URL(module), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  })
  children.set(id, child)
  const ended = (why: string) => {
    if (children.delete(id)) send({ type: 'ended', process: id, why })
  }
  child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
  // Emitted instead of `exit` when the process could not be started; after it, `exit` may not come.
  child.on('error', (error) => child.pid === undefined && ended(error.message))
  child.on('message', (message) => send({ type: 'heard', process: id, message } as FromHost))
  if (child.pid === undefined) return
  if (nice > 0) standBack(child.pid, nice)
  send({ type: 'started', process: id, pid: child.pid })
}

/**
 * Done from here and at once, because Linux has a priority per thread and gives a new thread that of its maker: the child has one
 * thread yet. It has some by the time it could do so itself.
 */
function standBack(pid: number, nice: number): void {
  try {
    setPriority(pid, nice)
  } catch {
    // It has ended already, or the system has no priorities; the job is as right without.
  }
}

function send(message: FromHost): void {
  if (process.connected) process.send!(message)
}
