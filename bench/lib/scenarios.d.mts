export interface Scenario {
  readonly title: string
  readonly suite: 'short' | 'long'
  readonly figureNames: readonly string[]
  readonly figuresOfAnySign: RegExp
}

export function loadScenarios(): Promise<ReadonlyMap<string, Scenario>>
