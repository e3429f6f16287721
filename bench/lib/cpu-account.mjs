/**
 * What became of the machine's processor time between two looks: of groups of processes, of the rest of the machine, and of nobody.
 *
 * Times of a group are those of all threads of its processes, to the nanosecond (`schedstat`); how they divide into the program's own and
 * the kernel's is in ticks of 10 ms (`stat`), so that it says little of less than half a second. `writes` and `reads` are system calls
 * that moved bytes, as the kernel counts them (`io`); those of a Redis and of a Node server are nearly all on sockets. What of the machine
 * was busy and is nobody's of the groups is the rest: other processes, the kernel's own work, and what the host took.
 *
 * Only Linux tells; everywhere else each figure is NaN.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const TICKS_PER_SECOND = 100
/** Columns of a line of `/proc/stat`: user, nice, system, idle, iowait, and what else keeps a core busy. */
const IDLE_COLUMNS = [3, 4]
/** Those of guests are in `user` already. */
const COLUMN_COUNT = 8
/** Of `/proc/<pid>/stat`, counted behind the name, which may have spaces in it. */
const USER_COLUMN = 11
const SYSTEM_COLUMN = 12
/** `user` and `system` are in ticks, or in any other unit that they share. */
const FIELDS = ['seconds', 'mainSeconds', 'user', 'system', 'reads', 'writes']

/**
 * Processor seconds of all threads so far; NaN where the system does not tell. To the nanosecond: the ticks of `stat` are more than a short
 * round takes. A thread that ended is no longer counted; servers keep theirs.
 */
export function cpuSeconds(pid) {
  if (process.platform !== 'linux') return Number.NaN
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => sum + threadSeconds(pid, thread), 0)
}

function threadSeconds(pid, thread) {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

/** `groups`: ids of processes by the name of their group. To be given to `accountBetween`. */
export function lookAtProcessors(groups) {
  const list = Object.entries(groups).map(([name, pids]) => [name, summed(pids.map(lookAtProcess))])
  return { atMicros: monotonicMicros(), idleTicks: idleTicks(), groups: Object.fromEntries(list) }
}

/** Of the clock that all processes share, and profiles of V8 with them. */
function monotonicMicros() {
  return Number(process.hrtime.bigint() / 1000n)
}

function lookAtProcess(pid) {
  if (process.platform !== 'linux') return Object.fromEntries(FIELDS.map((field) => [field, Number.NaN]))
  const io = readFileSync(`/proc/${pid}/io`, 'utf8')
  const reads = Number(/^syscr: (\d+)$/m.exec(io)[1])
  const writes = Number(/^syscw: (\d+)$/m.exec(io)[1])
  return { ...(pid === process.pid ? ownTimes() : timesOf(pid)), mainSeconds: threadSeconds(pid, pid), reads, writes }
}

function timesOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const columns = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { seconds: cpuSeconds(pid), user: Number(columns[USER_COLUMN]), system: Number(columns[SYSTEM_COLUMN]) }
}

/** With those of threads that have ended, as that of a load's metronome has when it is over. */
function ownTimes() {
  const { user, system } = process.cpuUsage()
  return { seconds: (user + system) / 1e6, user, system }
}

function summed(list) {
  return Object.fromEntries(FIELDS.map((field) => [field, list.reduce((sum, each) => sum + each[field], 0)]))
}

function idleTicks() {
  if (process.platform !== 'linux') return Number.NaN
  const columns = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .split(/ +/)
    .slice(1, 1 + COLUMN_COUNT)
  return IDLE_COLUMNS.reduce((sum, column) => sum + Number(columns[column]), 0)
}

/**
 * By group `{ coreShare, seconds, mainSeconds, systemShare, reads, writes }`, `mainSeconds` being those of the first threads, and `{ coreShare }` of `rest` and `idle`. A `coreShare` is of all cores
 * together: those of all groups, the rest and idle make 1, but for the ticks that idle time is counted in.
 */
export function accountBetween(before, after) {
  const available = ((after.atMicros - before.atMicros) / 1e6) * availableParallelism()
  const groups = Object.entries(after.groups).map(([name, now]) => [name, spent(before.groups[name], now, available)])
  const idle = Math.min(1, (after.idleTicks - before.idleTicks) / TICKS_PER_SECOND / available)
  const ours = groups.reduce((sum, [, { coreShare }]) => sum + coreShare, 0)
  return { ...Object.fromEntries(groups), rest: { coreShare: Math.max(0, 1 - idle - ours) }, idle: { coreShare: idle } }
}

function spent(before, after, available) {
  const [seconds, mainSeconds, user, system, reads, writes] = FIELDS.map((field) => after[field] - before[field])
  const systemShare = system / (user + system || 1)
  return { coreShare: seconds / available, seconds, mainSeconds, systemShare, reads, writes }
}
