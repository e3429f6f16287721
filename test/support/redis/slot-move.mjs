/**
 * Moves a slot from one primary to another while both serve it, as redis-cli does: both are told, keys go over in batches,
 * then the owner changes. In between the source answers ASK for keys that have gone.
 */
const MIGRATE_MS = 5000

export async function* moveSlotInSteps(slot, from, to, primaries, keysPerStep) {
  const [source, target] = [from.node, to.node]
  if (source === target) return
  await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.self.id)
  await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.self.id)
  yield 'open'
  for (;;) {
    const keys = await source.request('CLUSTER', 'GETKEYSINSLOT', slot, keysPerStep)
    if (keys.length === 0) break
    await source.request('MIGRATE', '127.0.0.1', target.port, '', 0, MIGRATE_MS, 'KEYS', ...keys)
    yield 'keys'
  }
  // The target first: if the source went first and died, nobody would hold the slot.
  for (const node of new Set([target, source, ...primaries])) {
    await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.self.id)
  }
}
