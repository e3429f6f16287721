/** What an `apply` changes, in lines for people: `added view airport_daily`, `changed view route_daily: ttl`. */
import { canonicalJson, type Json } from './canonical-json.ts'
import type { Content } from './content.ts'

const KINDS = [
  ['entities', 'entity'],
  ['views', 'view'],
  ['onDemandViews', 'on-demand view'],
  ['services', 'service'],
] as const

/** Empty if nothing changed. `codeChanged`: the bundle of the on-demand views is another one. */
export function changesBetween(before: Content | undefined, after: Content, codeChanged: boolean): string[] {
  const lines: string[] = []
  for (const [field, word] of KINDS) {
    const old = (before?.[field] ?? {}) as Fields
    const now = after[field] as Fields
    for (const name of Object.keys(now).sort()) {
      if (old[name] === undefined) lines.push(`added ${word} ${name}`)
      else if (!same(old[name], now[name])) lines.push(`changed ${word} ${name}: ${detail(old[name], now[name]!)}`)
    }
    for (const name of Object.keys(old).sort()) {
      if (now[name] === undefined) lines.push(`removed ${word} ${name}`)
    }
  }
  if (codeChanged) lines.push('changed the code of on-demand views')
  return lines
}

type Fields = Readonly<Record<string, Readonly<Record<string, Json | undefined>>>>

/** The changed fields; of features, which. */
function detail(old: Fields[string], now: Fields[string]): string {
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((field) => !same(old[field], now[field]))
    .map((field) => (field === 'features' ? featureDetail(old[field], now[field]) : field))
    .join(', ')
}

function featureDetail(old: Json | undefined, now: Json | undefined): string {
  // On-demand views and picks keep their features in an array, whose order counts.
  if (Array.isArray(old) || Array.isArray(now)) return 'features'
  const before = (old ?? {}) as Fields
  const after = (now ?? {}) as Fields
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => !same(before[name], after[name]),
  )
  const word = (name: string) =>
    before[name] === undefined ? 'added' : after[name] === undefined ? 'removed' : 'changed'
  return names.map((name) => `feature ${name} ${word(name)}`).join(', ')
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && canonicalJson(a) === canonicalJson(b))
}
