import { type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { ConfigError } from '../domain/errors.ts'
import type { ServerCertificate } from '../plugin-api/spawner.ts'
import { type AltName, hasName, localNames, namesOf, uniqueNames } from './alt-names.ts'
import {
  type Authority,
  type AuthorityName,
  authorityNames,
  ensureAuthority,
  type ExternalAuthority,
  isDue,
  readExternalAuthority,
  validFor,
} from './authorities.ts'
import { CertificateFolder, type PairPaths } from './certificate-folder.ts'
import { componentRecords, mergeRecords } from './certipy-records.ts'
import { createKey, isSignedBy, keyToPem, signLeaf } from './x509.ts'

/** Hub and proxy; each has an authority of its own. */
type Component = 'hub-internal' | 'proxy-api' | 'proxy-client'

export interface InternalCertificatesOptions {
  /** `JupyterHub.internal_certs_location`, absolute. */
  readonly path: string
  /** The same as configured, for the paths in `certipy.json`. */
  readonly configuredPath: string
  readonly cwd: string
  /** `JupyterHub.external_ssl_authorities`. */
  readonly external: Readonly<Partial<Record<AuthorityName, ExternalAuthority>>>
  /** What the certificate of a component has to be for, besides this machine's own names. */
  readonly names: Readonly<Record<Component, readonly AltName[]>>
  /** Added to a certificate that is made anyway; no reason to make one. */
  readonly hostNames: readonly AltName[]
  /** Make everything new. */
  readonly recreate: boolean
  readonly log: (message: string) => void
  readonly now: () => Date
}

export interface ComponentFiles extends PairPaths {
  /** Authorities that the component trusts. */
  readonly caPath: string
}

/** Key, certificate and trusted authorities of one party, in PEM. */
export type Material = ServerCertificate

export interface InternalCertificates {
  /** Files of a component; they are replaced in place. */
  filesOf(component: Component): ComponentFiles
  /** The hub's own, for its listener and its calls. */
  hubMaterial(): Material
  /**
   * A certificate of a server or service, never stored.
   * @param names - besides none: not even this machine's own.
   */
  issue(commonName: string, names: readonly AltName[]): Promise<Material>
  /** Makes those new that are about to end. @returns whether the hub's own changed */
  renew(): Promise<boolean>
}

const componentAuthorities = {
  'hub-internal': 'hub-ca',
  'proxy-api': 'proxy-api-ca',
  'proxy-client': 'proxy-client-ca',
} as const satisfies Record<Component, AuthorityName>

const components = Object.keys(componentAuthorities) as readonly Component[]

/** Who trusts whom. Source: JupyterHub 6.1 app.py, `internal_ssl_components_trust`. */
const trust: Readonly<Record<AuthorityName, readonly AuthorityName[]>> = {
  'hub-ca': authorityNames,
  'proxy-api-ca': ['hub-ca', 'services-ca', 'notebooks-ca'],
  'proxy-client-ca': ['hub-ca', 'notebooks-ca'],
  'notebooks-ca': ['hub-ca', 'proxy-client-ca'],
  'services-ca': ['hub-ca', 'proxy-api-ca'],
}

/** Source: certipy, `create_signed_pair`. */
const leafDays = 5 * 365
/** Names of earlier configurations are kept, but not for ever. */
const maxNames = 100

/**
 * Reads the authorities and the certificates of hub and proxy, and makes what is missing, does not
 * fit or is about to end. Hubs that share the folder end with the same files.
 * @throws ConfigError that names option, file and remedy
 */
export async function openInternalCertificates(
  options: InternalCertificatesOptions,
): Promise<InternalCertificates> {
  const folder = await CertificateFolder.open(options.path)
  if (options.recreate) {
    options.log('making all internal certificates new: running servers have to be started again')
    await folder.clear([...authorityNames, ...components])
  }
  const keeper = new Keeper(folder, options)
  await keeper.load()
  return keeper
}

class Keeper implements InternalCertificates {
  readonly #folder: CertificateFolder
  readonly #options: InternalCertificatesOptions
  #authorities = new Map<AuthorityName, Authority>()
  #hub: Material | undefined

  constructor(folder: CertificateFolder, options: InternalCertificatesOptions) {
    this.#folder = folder
    this.#options = options
  }

  async load(): Promise<void> {
    const { external, cwd, now } = this.#options
    for (const name of authorityNames) {
      const files = external[name]
      this.#authorities.set(
        name,
        files === undefined
          ? await ensureAuthority(this.#folder, name, now())
          : await readExternalAuthority(name, files, { cwd, now: now() }),
      )
    }
    for (const name of authorityNames) await this.#folder.writeBundle(name, this.#trustedBy(name))
    for (const component of components) {
      const material = await this.#ensureComponent(component)
      if (component === 'hub-internal') this.#hub = material
    }
    await this.#writeRecords()
  }

  filesOf(component: Component): ComponentFiles {
    const caPath = this.#folder.bundlePath(componentAuthorities[component])
    return { ...this.#folder.pathsOf(component), caPath }
  }

  hubMaterial(): Material {
    if (this.#hub === undefined) throw new TypeError('the certificates were not loaded')
    return this.#hub
  }

  async issue(commonName: string, names: readonly AltName[]): Promise<Material> {
    const key = createKey()
    return this.#toMaterial(
      'notebooks-ca',
      key,
      await this.#sign('notebooks-ca', key, { commonName, names }),
    )
  }

  async renew(): Promise<boolean> {
    const before = JSON.stringify(this.#hub)
    await this.load()
    return JSON.stringify(this.#hub) !== before
  }

  async #ensureComponent(component: Component): Promise<Material> {
    const { names: needed, hostNames } = this.#options
    const authorityName = componentAuthorities[component]
    const names = uniqueNames([...localNames, ...needed[component]])
    const { key, certificate, isThere } = await this.#readComponent(component)
    const isCurrent =
      certificate !== undefined &&
      key !== undefined &&
      certificate.checkPrivateKey(key) &&
      isSignedBy(certificate, this.#authority(authorityName).certificate)
    if (isCurrent && !isDue(certificate, this.#options.now())) {
      if (names.every((name) => hasName(certificate, name))) {
        return this.#toMaterial(authorityName, key, certificate.toString())
      }
    }
    // Another hub that shares the folder may need the names of the certificate that is there.
    const kept = certificate === undefined || !isCurrent ? [] : namesOf(certificate)
    const all = uniqueNames([...names, ...hostNames, ...kept]).slice(0, maxNames)
    const order = { commonName: component, names: all }
    this.#options.log(`making the certificate of ${component}`)
    if (isCurrent) {
      const certPem = await this.#sign(authorityName, key, order)
      await this.#folder.replaceCertificate(component, certPem)
      return this.#toMaterial(authorityName, key, certPem)
    }
    if (isThere) await this.#folder.discard(component)
    const fresh = createKey()
    const certPem = await this.#sign(authorityName, fresh, order)
    await this.#folder.create(component, { keyPem: keyToPem(fresh), certPem })
    return this.#ensureComponent(component) // as it is stored: maybe by another hub
  }

  /** A pair that is not whole or cannot be read is as good as none: nobody holds on to it. */
  async #readComponent(component: Component) {
    try {
      const { key, certPem } = await this.#folder.read(component)
      const certificate = certPem === undefined ? undefined : new X509Certificate(certPem)
      return { key, certificate, isThere: key !== undefined || certPem !== undefined }
    } catch {
      return { key: undefined, certificate: undefined, isThere: true }
    }
  }

  async #sign(
    name: AuthorityName,
    leaf: KeyObject,
    order: { readonly commonName: string; readonly names: readonly AltName[] },
  ): Promise<string> {
    const { key, certificate } = this.#authority(name)
    if (key === undefined) {
      throw new ConfigError(
        `JupyterHub.external_ssl_authorities['${name}'] has no 'key', so that the certificate of ` +
          `${order.commonName} cannot be made. Give the key, or put the certificate into ` +
          join(this.#folder.path, order.commonName),
      )
    }
    const { notBefore, notAfter } = validFor(leafDays, this.#options.now())
    const end = Math.min(notAfter.getTime(), certificate.validToDate.getTime())
    return signLeaf(leaf, {
      ...order,
      authority: { key, certPem: certificate.toString() },
      validity: { notBefore, notAfter: new Date(end) },
    })
  }

  #toMaterial(authority: AuthorityName, key: KeyObject, certPem: string): Material {
    return { key: keyToPem(key), cert: certPem, ca: this.#trustedBy(authority).join('') }
  }

  #trustedBy(name: AuthorityName): string[] {
    return trust[name].map((trusted) => this.#authority(trusted).certPem)
  }

  #authority(name: AuthorityName): Authority {
    const found = this.#authorities.get(name)
    if (found === undefined) throw new TypeError(`the authority ${name} was not loaded`)
    return found
  }

  /** For certipy, should the operator go back. */
  async #writeRecords(): Promise<void> {
    const { configuredPath, external } = this.#options
    const records = componentRecords(configuredPath, {
      authorities: authorityNames.map((name) => ({ name, external: external[name] })),
      components: componentAuthorities,
    })
    const before = await this.#folder.readFile('certipy.json')
    await this.#folder.writeFile('certipy.json', mergeRecords(before, records), 0o644)
  }
}
