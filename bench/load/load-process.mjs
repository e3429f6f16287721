/** The process of the load generator: does what its parent tells it, one thing after the other, and ends with it. */
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { runLoad } from './run.mjs'

const prepared = new Map()

const WORKS = {
  prepare({ name, requests }) {
    prepared.set(
      name,
      requests.map((bytes) => Buffer.from(bytes)),
    )
  },
  async run({ settings }) {
    const { byName, ...result } = await runLoad(settings, prepared)
    return { ...result, byName: byName.map(([name, tally]) => [name, encoded(tally)]) }
  },
}

let last = Promise.resolve()
process.on('message', ({ id, what, ...input }) => {
  last = last.then(async () => {
    try {
      process.send({ id, result: (await WORKS[what](input)) ?? null })
    } catch (error) {
      process.send({ id, error: error.message })
    }
  })
})
process.once('disconnect', () => process.exit())

function encoded({ completed, failures, intended, actual }) {
  const [of, from] = [intended, actual].map((histogram) => encodeIntoCompressedBase64(histogram))
  return { completed, failures, intended: of, actual: from }
}
