export function zipf(count: number, exponent: number): (random: number) => number
