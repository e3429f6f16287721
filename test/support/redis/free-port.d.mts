/** What Redis adds to a node's port for the Cluster bus. */
export const BUS_OFFSET: 10000

/** A port on loopback that is free, as is the one for its Cluster bus. */
export function freePort(): Promise<number>

/** The first of so many consecutive ones. */
export function freePorts(count: number): Promise<number>

export function isFree(port: number): Promise<boolean>
