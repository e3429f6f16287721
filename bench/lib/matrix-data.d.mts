export function featureName(feature: number): string
export function seededValue(item: number, feature: number): number
