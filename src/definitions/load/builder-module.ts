/**
 * How a bundle of definitions gets at the builders without importing them: a bundle is stored and must be loadable months
 * later from wherever it is, where `twinstore` may not resolve. The builders wait under a registered symbol, whose name
 * carries the version of their interface: an incompatible one would get another name, and old bundles keep theirs.
 */
import * as builders from '../index.ts'

const SYMBOL_NAME = 'twinstore.builders.1'

/** Makes the builders available to bundles that are evaluated from now on. Idempotent. */
export function offerBuilders(): void {
  Object.assign(globalThis, { [Symbol.for(SYMBOL_NAME)]: builders })
}

/** Source of the module that stands for `twinstore` in a bundle; an export that is not used leaves no trace there. */
export function builderModuleSource(): string {
  const exports = Object.keys(builders).map(
    (name) => `export const ${name} = /* @__PURE__ */ Reflect.get(builders, '${name}')`,
  )
  return [`const builders = globalThis[Symbol.for('${SYMBOL_NAME}')]`, ...exports].join('\n')
}
