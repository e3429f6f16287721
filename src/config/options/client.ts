/** The options of commands that ask a server, which have them instead of the server's: as flags and in the environment, not in YAML. */
import type { OptionSpec } from '../option-value.ts'
import { MAIN_OPTIONS } from './main.ts'

export const CLIENT_OPTIONS = {
  address: {
    kind: 'address',
    default: MAIN_OPTIONS.grpc.default,
    description: 'The server.',
  },
  tls: {
    kind: 'switch',
    default: 'off',
    description: 'Ask it over TLS, and trust the authorities that Node trusts. Each of the options below says so too.',
  },
  'tls-ca': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: "Authorities of the server's certificate, PEM. Empty: those that Node trusts.",
  },
  'tls-cert': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Certificate to show to the server, PEM.',
  },
  'tls-key': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Private key of it, PEM.',
  },
  'tls-server-name': {
    kind: 'text',
    default: '',
    placeholder: 'name',
    description: 'Name that the certificate of the server must be for. Empty: the host of the address.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

export type ClientOptionName = keyof typeof CLIENT_OPTIONS
