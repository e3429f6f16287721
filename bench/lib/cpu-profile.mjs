/**
 * Profiles of V8 (`node --cpu-prof`), added up by what the sampled functions are for.
 *
 * A process writes its profile when it ends; which samples are of a measured time is known by the clock, which all processes of a machine
 * share. A sample counts for the function it was taken in, not for those that called it. Functions of V8 and Node that have no file count
 * for whoever called them, unless their name says what they are.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** For `nodeFlags`. Twice as often as V8 would by itself, so that a hundredth of three seconds is sixty samples. */
export function profiling(folder) {
  return ['--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-interval', '500']
}

/** That of the main thread of a process which has ended. */
export function readProfile(folder, pid) {
  const names = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile') && name.includes(`.${pid}.0.`))
  assert.equal(names.length, 1, `${folder} has ${names.length} profiles of process ${pid}`)
  return JSON.parse(readFileSync(join(folder, names[0]), 'utf8'))
}

/**
 * Samples between two times (microseconds of process.hrtime) by category: `categoryOf({ name, url })`, or undefined for what counts for its
 * caller.
 */
export function samplesByCategory(profile, { beganMicros, endedMicros }, categoryOf) {
  const category = categoriesOfNodes(profile.nodes, categoryOf)
  const counts = new Map()
  let atMicros = profile.startTime
  for (const [index, id] of profile.samples.entries()) {
    atMicros += profile.timeDeltas[index]
    if (atMicros < beganMicros || atMicros >= endedMicros) continue
    const name = category.get(id)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

function categoriesOfNodes(nodes, categoryOf) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const category = new Map()
  const fill = (node, callers) => {
    const { functionName: name, url } = node.callFrame
    const own = categoryOf({ name, url }) ?? callers
    category.set(node.id, own)
    for (const child of node.children ?? []) fill(byId.get(child), own)
  }
  fill(nodes[0], undefined)
  return category
}
