/** What one node of a Cluster says of itself and of the others, from `CLUSTER NODES`. */

/** Null when the node gives no answer: it is down, hangs, or is still loading its data. */
export async function viewOf(node) {
  if (node.state !== 'running') return null
  try {
    const rows = (await node.command('CLUSTER', 'NODES')).trim().split('\n').map(parseRow)
    return { node, self: rows.find((row) => row.flags.includes('myself')), rows }
  } catch {
    return null
  }
}

function parseRow(line) {
  const [id, address, flags, primaryId, , , epoch, link, ...slots] = line.split(' ')
  return {
    id,
    port: Number(/:(\d+)@/.exec(address)?.[1]),
    flags: flags.split(','),
    primaryId: primaryId === '-' ? undefined : primaryId,
    epoch: Number(epoch),
    connected: link === 'connected',
    slots: slots.filter((range) => !range.startsWith('[')).map(parseRange),
  }
}

function parseRange(text) {
  const [first, last = first] = text.split('-').map(Number)
  return [first, last]
}

export function holds(row, slot) {
  return row.slots.some(([first, last]) => slot >= first && slot <= last)
}

/** Who holds which slots and who follows whom as this view's node sees it, as text, so that two views can be compared. */
export function layoutText(view) {
  const portOf = new Map(view.rows.map((row) => [row.id, row.port]))
  return view.rows
    .filter((row) => !row.flags.some((flag) => flag.startsWith('fail')))
    .map((row) => {
      const ranges = row.slots.map((range) => range.join('-')).join(',')
      return row.primaryId === undefined
        ? `${row.port} holds ${ranges}`
        : `${row.port} follows ${portOf.get(row.primaryId)}`
    })
    .sort()
    .join('; ')
}
