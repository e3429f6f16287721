export function machineSlug(machine: { readonly cpu: string; readonly cores: number }): string
