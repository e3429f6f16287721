/** What functions of a server, and of the load generator, are for: by the file they are in, and without one by their names. */

const BY_NAME = [
  [/^\(idle\)$/, 'idle'],
  [/^\(garbage collector\)$/, 'garbage collection'],
  [/^\(program\)$/, 'outside of JavaScript'],
  [/^(writev|write(Buffer|Utf8String|Latin1String|AsciiString)|shutdown|readStart|readStop)$/, 'writes'],
  [/^crc32$/, 'checksum of rows'],
]

const WAITING = 'promises, timers, clocks'

const NODE = [
  [/^node:(net|tls|_tls|events|stream|internal\/(streams|stream_base_commons|net|js_stream))/, 'sockets in Node'],
  [/^node:(buffer|internal\/buffer)/, 'buffers in Node'],
  [/^node:(timers|internal\/(timers|process|perf|abort_controller|event_target|async_hooks|promise))/, WAITING],
]

const SERVER = [
  [/\/dist\/http2\//, 'HTTP/2'],
  [/\/dist\/(grpc|api)\//, 'gRPC'],
  [/\/dist\/serving\/(row-cache|row-slabs|recency|cached-rows|known-keys)\./, 'L1'],
  [
    /\/dist\/serving\/(fetched-rows|send-flights|shard-batches|flight|hedge-budget|recent-changes|look-ups)\./,
    'fetch of misses',
  ],
  [/\/dist\/serving\//, 'request and answer'],
  [/\/dist\/online\//, 'Redis link'],
  [/\/dist\/(domain\/row-codec|lib\/crc32)\./, 'checksum of rows'],
  [/\/dist\/(domain|lib\/wire)|\/lru-cache\//, 'request and answer'],
  [/\/dist\/lib\/clock\./, WAITING],
  [/\/dist\/observe\//, 'metrics'],
]

const LOAD = [
  [/\/bench\/load\/http2\//, 'HTTP/2'],
  [/\/bench\/load\//, 'pace and count'],
  [/\/hdr-histogram-js\//, 'histograms'],
]

export const SERVER_CATEGORIES = named([...BY_NAME, ...SERVER, ...NODE])
export const LOAD_CATEGORIES = named([...BY_NAME.filter(([, name]) => name !== 'checksum of rows'), ...LOAD, ...NODE])

export const categoryOfServer = categoryBy([...SERVER, ...NODE])
export const categoryOfLoad = categoryBy([...LOAD, ...NODE])

function named(rules) {
  return [...new Set(rules.map(([, name]) => name)), 'other'].filter((name) => name !== 'idle')
}

/** Undefined for what has no file and no name that says what it is. */
function categoryBy(files) {
  return ({ name, url }) => {
    const rules = url === '' ? BY_NAME : files
    const found = rules.find(([pattern]) => pattern.test(url === '' ? name : url))
    return found?.[1] ?? (url === '' && name !== '(root)' ? undefined : 'other')
  }
}
