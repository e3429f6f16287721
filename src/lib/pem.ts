/**
 * Certificates and private keys in PEM, looked at before they are used: OpenSSL takes a file of authorities that has none in it, and says
 * of a key that is none only that a decoder does not support it.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

export type Pem = Buffer | string

const CERTIFICATE = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END \1?CERTIFICATE-----/g

/** A file of it, and what `parse` makes of that. Throws an `Error` that begins with the file's name. */
export function readPem<T>(file: string, parse: (pem: Buffer) => T): { readonly bytes: Buffer; readonly value: T } {
  try {
    const bytes = readFileSync(file)
    return { bytes, value: parse(bytes) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new Error(`${file}: ${code === 'ENOENT' ? 'there is no such file' : message}`, { cause })
  }
}

/** All of them, in their order, which is at least one. Throws an `Error` that says what is wrong. */
export function certificatesOf(pem: Pem): readonly X509Certificate[] {
  const blocks = String(pem).match(CERTIFICATE)
  if (blocks === null) throw new Error(`no certificate in PEM is in it (${beginsWith('CERTIFICATE')})${insteadOf(pem)}`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw new Error(`certificate ${index + 1} of ${blocks.length} in it is damaged`, { cause })
    }
  })
}

/** Throws an `Error` that says what is wrong. */
export function privateKeyOf(pem: Pem): KeyObject {
  const text = String(pem)
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw new Error('the key is encrypted; give one without a passphrase, in a file that nobody else may read')
  }
  if (!text.includes('PRIVATE KEY-----')) {
    throw new Error(`no private key in PEM is in it (${beginsWith('PRIVATE KEY')})${insteadOf(pem)}`)
  }
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw new Error('the private key in it is damaged, or of a kind that OpenSSL does not know', { cause })
  }
}

function beginsWith(what: string): string {
  return `-----BEGIN ${what}-----`
}

/** What is likely to have been mixed up. */
function insteadOf(pem: Pem): string {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(String(pem))?.[1]
  return label === undefined ? '' : `, but a ${label}`
}
