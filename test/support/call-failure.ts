/** What calls of the client library that must fail fail with. */
import { TwinstoreError } from '../../src/client/index.ts'

export async function callFailure(call: Promise<unknown>): Promise<TwinstoreError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof TwinstoreError) return error
  throw new Error(`expected a TwinstoreError, got ${error}`)
}

/** Its code and its message. */
export async function refused(call: Promise<unknown>): Promise<[string, string]> {
  const { code, message } = await callFailure(call)
  return [code, message]
}
