/**
 * Samples of `perf record -g`, added up by what the processor was doing: the kernel by system call, JavaScript by the file of the function.
 *
 * Unlike V8's own profile they are of processor time, not of time: a thread that waits for a core is in none. JavaScript has names if
 * Node wrote them down (`--perf-basic-prof`). A function of V8 or Node that is not JavaScript counts for the JavaScript that called it.
 */
import { execFileSync } from 'node:child_process'

const OUTPUT_BYTES_MAX = 2 ** 30
/** Looked for among the functions of the kernel that were entered, in this order. */
const KERNEL = [
  [/vfs_write|do_writev|sendmsg|sendto/, 'kernel: write'],
  [/vfs_read|recvmsg|recvfrom/, 'kernel: read'],
  [/epoll/, 'kernel: epoll'],
  [/fault/, 'kernel: page faults'],
  [/futex/, 'kernel: futex'],
]
const OTHER_KERNEL = 'kernel: other'
const NATIVE = 'outside of JavaScript'
const COLLECTOR =
  /Scaveng|ConcurrentMarking|IncrementalMarking|MarkCompact|Sweep|Evacuat|CollectGarbage|ArrayBufferSweeper/
const COMPILER = /compiler::|Compiler::|Optimizing|BaselineBatch/
const COLLECTION = 'garbage collection'
const COMPILATION = 'compilation'

/** Names of everything `samplesOf` may give beside what `categoryOf` gives. */
export const PERF_CATEGORIES = [...KERNEL.map(([, name]) => name), OTHER_KERNEL, NATIVE, COLLECTION, COMPILATION]

/** Counts by category of the samples that `perf script` finds in `file` for these processes. */
export function samplesOf(file, pids, categoryOf) {
  const args = ['script', '-i', file, '--pid', pids.join(','), '-F', 'tid,ip,sym,dso']
  const text = execFileSync('perf', args, {
    maxBuffer: OUTPUT_BYTES_MAX,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return countsOf(text, categoryOf)
}

/** `text`: what `perf script` prints, a sample being a line of its thread and a line for each function, the innermost first. */
export function countsOf(text, categoryOf) {
  const counts = new Map()
  for (const sample of text.split('\n\n')) {
    const frames = [...sample.matchAll(/^\s+[0-9a-f]+ (.*) \((.*?)\)$/gm)].map(([, name, where]) => ({ name, where }))
    if (frames.length === 0) continue
    const category = categoryOfSample(frames, categoryOf)
    counts.set(category, (counts.get(category) ?? 0) + 1)
  }
  return counts
}

function categoryOfSample(frames, categoryOf) {
  const kernel = frames.filter(({ where }) => where.includes('kernel'))
  if (frames[0].where.includes('kernel')) {
    return KERNEL.find(([pattern]) => kernel.some(({ name }) => pattern.test(name)))?.[1] ?? OTHER_KERNEL
  }
  const has = (pattern) => frames.some(({ name }) => pattern.test(name))
  if (has(COLLECTOR)) return COLLECTION
  if (has(COMPILER)) return COMPILATION
  const script = frames.find(({ name }) => name.startsWith('JS:'))
  return script === undefined ? NATIVE : categoryOf({ name: script.name, url: fileOf(script.name) })
}

/** `JS:*received file:///x/dist/http2/socket-shell.js:61:11`; a function of V8 itself has no file. */
function fileOf(name) {
  return /(?:file:\/\/|node:|\/)\S*(?=:\d+:\d+$)/.exec(name)?.[0] ?? 'v8'
}
