export { default as hashSlot } from 'cluster-key-slot'
