/**
 * One Redis command over a connection of its own: enough to set up and inspect servers without a client library, so that
 * what the tests see does not depend on the code under test.
 */
import { connect } from 'node:net'

const CRLF = Buffer.from('\r\n')

export function request({ host = '127.0.0.1', port, password }, args, timeoutMs = 5000) {
  const commands = password === undefined ? [args] : [['AUTH', password], args]
  const { promise, resolve, reject } = deferred()
  const socket = connect({ host, port })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${host}:${port} did not answer in ${timeoutMs} ms`)))
  socket.on('error', reject)
  socket.on('close', () => reject(new Error(`${host}:${port} closed the connection instead of answering`)))
  let received = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    let replies
    try {
      replies = readReplies(received, commands.length)
    } catch (error) {
      socket.destroy(error)
    }
    if (replies === undefined) return
    socket.destroy()
    const refused = replies.find((reply) => reply instanceof Error)
    if (refused) reject(refused)
    else resolve(replies.at(-1))
  })
  socket.write(Buffer.concat(commands.map(encode)))
  return promise
}

/** As redis-cli prints it into a file: one line per value, nothing for nil. */
export function replyText(reply) {
  if (Array.isArray(reply)) return reply.map(replyText).join('\n')
  return reply === null ? '' : reply.toString()
}

function encode(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

/** So many replies from the start of the bytes; undefined while they are incomplete. */
function readReplies(bytes, count) {
  const replies = []
  let offset = 0
  for (let i = 0; i < count; i++) {
    const read = readReply(bytes, offset)
    if (read === undefined) return undefined
    replies.push(read.reply)
    offset = read.end
  }
  return replies
}

function readReply(bytes, offset) {
  const lineEnd = bytes.indexOf(CRLF, offset)
  if (lineEnd < 0) return undefined
  const kind = String.fromCharCode(bytes[offset])
  const line = bytes.toString('utf8', offset + 1, lineEnd)
  const end = lineEnd + CRLF.length
  if (kind === '+') return { reply: Buffer.from(line), end }
  if (kind === '-') return { reply: new Error(line), end }
  if (kind === ':') return { reply: Number(line), end }
  if (kind === '$') return readBulk(bytes, end, Number(line))
  if (kind === '*') return readArray(bytes, end, Number(line))
  throw new Error(`not RESP2: ${JSON.stringify(kind + line)}`)
}

function readBulk(bytes, start, length) {
  if (length < 0) return { reply: null, end: start }
  const end = start + length + CRLF.length
  return bytes.length < end ? undefined : { reply: bytes.subarray(start, start + length), end }
}

function readArray(bytes, start, length) {
  if (length < 0) return { reply: null, end: start }
  const reply = []
  let end = start
  for (let i = 0; i < length; i++) {
    const read = readReply(bytes, end)
    if (read === undefined) return undefined
    reply.push(read.reply)
    end = read.end
  }
  return { reply, end }
}

function deferred() {
  let resolve
  let reject
  const promise = new Promise((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
