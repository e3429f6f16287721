/** How the work of a call hears that nobody wants it any more. */
import { expect, test } from 'vitest'
import { CallAbort } from '../../src/grpc/call-abort.ts'
import type { CallHost } from '../../src/grpc/call-host.ts'

function open(): { readonly abort: CallAbort; readonly heard: unknown[]; readonly listen: (name: string) => void } {
  const host = { abortReason: (kind: string) => `reason ${kind}` } as unknown as CallHost
  const abort = new CallAbort(host)
  const heard: unknown[] = []
  return { abort, heard, listen: (name) => abort.whenAborted((reason) => heard.push([name, reason])) }
}

test('each listener hears of the first abort with its reason, in order, and of no other', () => {
  const { abort, heard, listen } = open()
  listen('a')
  listen('b')
  listen('c')
  expect(heard).toEqual([])
  abort.abort('deadline')
  abort.abort('cancelled')
  expect(heard).toEqual(['a', 'b', 'c'].map((name) => [name, 'reason deadline']))
})

test('who listens after the abort hears of it at once', () => {
  const { abort, heard, listen } = open()
  abort.abort('cancelled')
  listen('late')
  expect(heard).toEqual([['late', 'reason cancelled']])
})

test('a signal that is asked for beside a listener aborts with the same reason', () => {
  const { abort, heard, listen } = open()
  listen('a')
  const { signal } = abort
  abort.abort('cancelled')
  expect(heard).toEqual([['a', signal.reason]])
})
