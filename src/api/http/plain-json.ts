/** Plain answers of the service layer as JSON: members in snake case, as everywhere in this API. */

/** For objects whose keys are all names of ours, none a user's. */
export function plainJson(value: object): string {
  return JSON.stringify(snakeCased(value))
}

function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCased(member),
    ]),
  )
}
