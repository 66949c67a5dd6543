import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findPythonWith } from '../../test/support/python.ts'
import { openInternalCertificates } from './internal-certificates.ts'

/** A folder of JupyterHub's, taken over and given back. */
const python = findPythonWith('certipy')

const make = `
from certipy import Certipy
store = Certipy(store_dir='internal-ssl')
names = ['hub-ca', 'notebooks-ca', 'proxy-api-ca', 'proxy-client-ca', 'services-ca']
store.trust_from_graph({name: names for name in names})
local = ['IP:127.0.0.1', 'IP:0:0:0:0:0:0:0:1', 'DNS:localhost']
for name, authority in [('hub-internal', 'hub-ca'), ('proxy-api', 'proxy-api-ca'), ('proxy-client', 'proxy-client-ca')]:
    store.create_signed_pair(name, authority, alt_names=local)
store.create_signed_pair('user-ada', 'notebooks-ca', alt_names=local)
`
const use = `
from certipy import Certipy
store = Certipy(store_dir='internal-ssl')
print(store.store.get_record('hub-internal')['files']['cert'])
store.create_signed_pair('user-bob', 'notebooks-ca', alt_names=['DNS:localhost'], overwrite=True)
`

test.skipIf(python === undefined)(
  'a folder that certipy made is used as it is, and certipy goes on with ours (needs certipy)',
  async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'orrery-certipy-'))
    const run = (code: string) =>
      execFileSync(python ?? '', ['-c', code], { cwd, encoding: 'utf8' }).trim()
    const file = (name: string, end: string) =>
      readFileSync(join(cwd, 'internal-ssl', name, `${name}.${end}`), 'utf8')
    const open = (recreate = false) =>
      openInternalCertificates({
        path: join(cwd, 'internal-ssl'),
        configuredPath: 'internal-ssl',
        cwd,
        external: {},
        names: { 'hub-internal': [], 'proxy-api': [], 'proxy-client': [] },
        hostNames: [],
        recreate,
        log: () => undefined,
        now: () => new Date(),
      })
    try {
      run(make)
      const before = ['hub-ca', 'hub-internal', 'proxy-client'].map((name) => file(name, 'crt'))
      const certificates = await open()
      expect(['hub-ca', 'hub-internal', 'proxy-client'].map((name) => file(name, 'crt'))).toEqual(
        before,
      )
      const { cert } = await certificates.issue('user-eve', [])
      const authority = new X509Certificate(file('notebooks-ca', 'crt'))
      expect(new X509Certificate(cert).verify(authority.publicKey)).toBe(true)
      expect(readFileSync(join(cwd, 'internal-ssl/certipy.json'), 'utf8')).toContain('user-ada')

      await open(true)
      expect(existsSync(join(cwd, 'internal-ssl/user-ada'))).toBe(false)
      expect(readFileSync(join(cwd, 'internal-ssl/certipy.json'), 'utf8')).not.toContain('user-ada')
      expect(run(use)).toBe('internal-ssl/hub-internal/hub-internal.crt')
      const bob = new X509Certificate(file('user-bob', 'crt'))
      expect(bob.checkIssued(new X509Certificate(file('notebooks-ca', 'crt')))).toBe(true)
    } finally {
      rmSync(cwd, { recursive: true })
    }
  },
)
