/** Real certificates, made by OpenSSL in a folder of their own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const HOUR_MS = 3_600_000

export interface Issued {
  /** The authority; `ca` unless given. */
  readonly by?: string
  /** As `subjectAltName` has them. */
  readonly names?: string
  readonly from?: Date
  readonly until?: Date
}

/** `<name>.pem` and `<name>.key` in PEM; an authority `ca` is there from the start. */
export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'twinstore-certificates-'))

  constructor() {
    writeFileSync(this.file('index.txt'), '')
    writeFileSync(
      this.file('ca.cnf'),
      `[ca]
default_ca = any
[any]
new_certs_dir = ${this.path}
database = ${this.file('index.txt')}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = all
copy_extensions = copy
[all]
commonName = supplied
`,
    )
    this.authority('ca')
  }

  file(name: string): string {
    return join(this.path, name)
  }

  bytes(name: string): Buffer {
    return readFileSync(this.file(name))
  }

  authority(name: string): void {
    const out = ['-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.pem`)]
    this.#openssl('req', '-x509', ...NEW_KEY, ...out, '-days', '2', '-subj', `/CN=${name}`)
  }

  /** Valid from an hour ago for a day, for this machine, unless `issued` says else. */
  issue(name: string, { by = 'ca', names = 'DNS:localhost,IP:127.0.0.1', from, until }: Issued = {}): void {
    const request = this.file(`${name}.csr`)
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`]
    this.#openssl('req', ...NEW_KEY, ...subject, '-keyout', this.file(`${name}.key`), '-out', request)
    const startMs = from?.getTime() ?? Date.now() - HOUR_MS
    const endMs = until?.getTime() ?? startMs + 24 * HOUR_MS
    const when = ['-startdate', openSslTime(startMs), '-enddate', openSslTime(endMs)]
    const authority = ['-cert', this.file(`${by}.pem`), '-keyfile', this.file(`${by}.key`)]
    const files = ['-config', this.file('ca.cnf'), '-in', request, '-out', this.file(`${name}.pem`)]
    this.#openssl('ca', '-batch', '-notext', ...files, ...authority, ...when)
  }

  /** Puts certificate and key of `name` where those of `target` are, as a renewal does. */
  replace(target: string, name: string): void {
    for (const kind of ['pem', 'key']) this.put(`${target}.${kind}`, `${name}.${kind}`)
  }

  /** Makes a file of other files, one after the other. */
  put(target: string, ...sources: readonly string[]): void {
    writeFileSync(this.file(target), Buffer.concat(sources.map((source) => this.bytes(source))))
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' })
  }
}

/** `20260131120000Z` */
function openSslTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`
}
