/**
 * What a server is made of takes half a second to load, and who asks a server something needs none of it. So it is loaded by the
 * commands that are a server, or that read definitions, once their options are known to be good.
 */
export function loadServer(): Promise<typeof import('../main.ts')> {
  return import('../main.ts')
}
