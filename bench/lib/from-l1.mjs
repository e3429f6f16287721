/** Fails if `work` had rows read from the store. */
export async function fromL1(client, label, work) {
  const before = (await client.status()).cache.misses
  const result = await work()
  const missed = (await client.status()).cache.misses - before
  if (missed > 0) throw new Error(`${label}: ${missed} rows were not in L1, so this measured the store too`)
  return result
}
