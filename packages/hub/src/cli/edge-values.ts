import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { messageOf } from '../domain/errors.ts'
import type { RouteLimits } from '../proxy/data-plane/limits/request-limits.ts'
import { findTarget } from '../proxy/target.ts'
import { UsageError } from './edge-flags.ts'

/** Values of flags of the edge and of its environment; what cannot be read is a {@link UsageError}. */

export function optional<K extends string>(
  key: K,
  value: string | undefined,
): { [P in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: string }
}

export function wholeNumber(flag: string, text: string, max = 2 ** 31 - 1): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new UsageError(`--${flag} is a whole number up to ${max}`)
}

export function urlFlag(flag: string, url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url
  throw new UsageError(`--${flag} is an http URL`)
}

/** File of a module: a path, or a package that is installed where the program runs or beside us. */
export function moduleFlag(flag: string, name: string): string {
  try {
    const paths = [process.cwd(), import.meta.dirname]
    return createRequire(import.meta.url).resolve(name, { paths })
  } catch {
    throw new UsageError(`--${flag}: there is no module '${name}'`)
  }
}

/** Where requests can be sent. */
export function targetFlag(flag: string, url: string): string {
  if (findTarget(url) !== undefined) return url
  throw new UsageError(`--${flag} is a URL: http, https or http+unix://%2Fpath%2Fof%2Fsocket`)
}

/**
 * The secret, or that in a file, as in the container image of configurable-http-proxy; a line end at
 * the end of the file is none of it. Source: contract proxy §10.
 */
export function readToken(env: NodeJS.ProcessEnv): string {
  const { CONFIGPROXY_AUTH_TOKEN: token = '', CONFIGPROXY_AUTH_TOKEN_FILE: path = '' } = env
  if (path === '') return token
  if (token !== '') {
    throw new UsageError(
      'CONFIGPROXY_AUTH_TOKEN and CONFIGPROXY_AUTH_TOKEN_FILE exclude each other',
    )
  }
  try {
    const read = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '')
    if (read !== '') return read
  } catch (error) {
    throw new UsageError(`CONFIGPROXY_AUTH_TOKEN_FILE: ${messageOf(error)}`)
  }
  throw new UsageError(`CONFIGPROXY_AUTH_TOKEN_FILE: ${path} is empty`)
}

/** What the edge writes itself: a second one would end a request where it should not. */
const reservedHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Of one name the last counts, as with configurable-http-proxy. */
export function customHeaders(texts: readonly string[]): (readonly [string, string])[] {
  const headers = texts.map(parseHeader)
  return [...new Map(headers.map((one) => [one[0].toLowerCase(), one])).values()]
}

function parseHeader(text: string): readonly [string, string] {
  const [, name = '', value = ''] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*:\s*(.*?)\s*$/.exec(text) ?? []
  if (name === '' || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
    throw new UsageError(`--custom-header is NAME:VALUE: a colon was expected in '${text}'`)
  }
  if (!reservedHeaders.has(name.toLowerCase())) return [name, value]
  throw new UsageError(`--custom-header: ${name} is the edge's own`)
}

const limitNames = {
  'max-body-size': 'maxBodyBytes',
  'max-requests-per-second': 'maxRequestsPerSecond',
  'max-concurrent': 'maxConcurrent',
} as const

/** `PATH:NAME=N,NAME=N`. */
export function routeLimits(text: string): RouteLimits {
  const [, path = '', list = ''] = /^(\/.*):([^:]+)$/.exec(text) ?? []
  const limits: Partial<Record<(typeof limitNames)[keyof typeof limitNames], number>> = {}
  for (const item of list.split(',')) {
    const [name = '', value = ''] = item.trim().split('=')
    const key = Object.entries(limitNames).find(([known]) => known === name)?.[1]
    if (path === '' || key === undefined || !/^\d{1,15}$/.test(value)) {
      const names = Object.keys(limitNames).join(', ')
      throw new UsageError(
        `--route-limits is PATH:NAME=N,… with names of ${names}, as /services/upload:max-body-size=0`,
      )
    }
    limits[key] = Number(value)
  }
  return { path: path.replace(/(?<=.)\/+$/, ''), ...limits }
}

export function address(ip: string | undefined): string | undefined {
  return ip === '' || ip === '*' ? undefined : ip
}
