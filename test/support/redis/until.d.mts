/**
 * Resolves to the condition's value as soon as it is neither `undefined` nor `false`. A condition that throws does not hold
 * yet; what it threw last is in the error at the deadline, after `what`.
 */
export function until<T>(
  what: string,
  timeoutMs: number,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T>
