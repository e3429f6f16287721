/** Writes a key to whichever node takes it: `node redis-link-successor.mjs key value port...`. Ends when it is acknowledged. */
import { request } from '../support/redis/resp.mjs'
import { until } from '../support/redis/until.mjs'

const [key, value, ...ports] = process.argv.slice(2)
await until('a node that takes the write', 30_000, async () => {
  for (const port of ports) {
    const reply = await request({ port: Number(port) }, ['SET', key, value]).catch(() => undefined)
    if (String(reply) === 'OK') return true
  }
  return false
})
