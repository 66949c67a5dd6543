import { readFileSync } from 'node:fs'

/** Version of this program, from its package.json. */
export const orreryVersion = readVersion()

/**
 * What `X-JupyterHub-Version` says: the JupyterHub whose wire protocol is spoken, then our own
 * version as the local part of a PEP 440 version. The single-user server compares the major number
 * and exits when it cannot parse the text.
 * Source: contract single-user-and-services §3.4.
 */
export const jupyterhubVersion = `6.0.0+orrery.${orreryVersion.replaceAll('-', '.')}`

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const content: unknown = JSON.parse(text)
  if (typeof content === 'object' && content !== null && 'version' in content) {
    if (typeof content.version === 'string') return content.version
  }
  throw new TypeError('package.json names no version')
}
