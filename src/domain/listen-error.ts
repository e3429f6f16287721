/** What is said of an address that cannot be listened on. */
import { TwinstoreError } from './errors.ts'

/** FAILED_PRECONDITION. `protocol` is what is served there, as people call it; `option` says where. */
export function listenError(protocol: string, option: string, address: string, error: Error): TwinstoreError {
  const problem = error.message.includes('EADDRINUSE')
    ? `the ${protocol} address ${address} is in use: stop the process that listens there or choose another address (option ${option})`
    : `cannot listen on the ${protocol} address ${address} (option ${option}): ${error.message}`
  return new TwinstoreError('FAILED_PRECONDITION', problem, { cause: error })
}
