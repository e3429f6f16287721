/** From a position in the bundle, as a stack trace names it, back to the user's file and line. */
import { SourceMap } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Locate } from '../check/fault-scope.ts'
import type { Bundle } from './bundle.ts'

/** The first frame of a stack trace that is the user's own code, as `index.ts:12`; undefined if there is none. */
export function locator(bundle: Bundle, bundleFile: string): Locate {
  const map = new SourceMap(JSON.parse(bundle.sourceMap))
  const url = pathToFileURL(bundleFile).href
  return (stack) => {
    for (const [line, column] of framesOf(stack, url)) {
      const entry = map.findEntry(line - 1, column - 1)
      if (!('originalSource' in entry) || !isUsersOwn(entry.originalSource)) continue
      return `${entry.originalSource}:${entry.originalLine + 1}`
    }
    return undefined
  }
}

function isUsersOwn(source: string): boolean {
  return !source.startsWith('twinstore:') && !/(^|\/)node_modules\//.test(source)
}

function* framesOf(stack: string, url: string): Iterable<readonly [line: number, column: number]> {
  for (const text of stack.split('\n')) {
    const start = text.indexOf(`${url}:`)
    if (start < 0) continue
    const [line, column] = text.slice(start + url.length + 1).split(':')
    yield [Number.parseInt(line!, 10), Number.parseInt(column!, 10)]
  }
}
