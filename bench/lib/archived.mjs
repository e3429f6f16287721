const POLL_MS = 50
const WAIT_MS = 120_000

/** Resolves when the server's outbox is empty: until then archiving takes processor time from whatever is measured. */
export async function archived(client) {
  const endMs = performance.now() + WAIT_MS
  for (;;) {
    const { outbox } = await client.status()
    if (outbox.rows === 0) return
    if (performance.now() > endMs)
      throw new Error(`${outbox.rows} rows are still in the outbox: ${outbox.archiverError}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
