import { readFileSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { ConfigError, messageOf } from '../domain/errors.ts'
import type { WebSettings } from '../web/web-deps.ts'

const maxLogoBytes = 5 * 1024 * 1024

const imageTypes: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.ico': 'image/vnd.microsoft.icon',
}

/**
 * The operator's logo, kept in memory; `undefined` without one.
 * @throws ConfigError when the file cannot be read, is no image, or is larger than 5 MiB
 */
export function readLogo(path: string): WebSettings['logo'] {
  if (path === '') return undefined
  const contentType = imageTypes[extname(path).toLowerCase()]
  if (contentType === undefined) {
    const known = Object.keys(imageTypes).join(', ')
    throw new ConfigError(`JupyterHub.logo_file: '${path}' is no image: use one of ${known}.`)
  }
  try {
    if (statSync(path).size > maxLogoBytes) throw new Error('it is larger than 5 MiB')
    return { body: readFileSync(path), contentType }
  } catch (error) {
    throw new ConfigError(`JupyterHub.logo_file: '${path}' cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
