/** Path of the socket, and what follows it: `http+unix://%2Frun%2Forrery.sock/base/`. */
export interface UnixSocketUrl {
  readonly socketPath: string
  /** `''`, or a path that begins with a slash. */
  readonly path: string
}

/** The kernel's limit is 107 bytes; listeners are bound beside their name, with a process id. */
const maxPathBytes = 99

const schemes = /^(?:http\+unix|unix\+http):\/\//i

export function isUnixSocketUrl(url: string): boolean {
  return schemes.test(url)
}

/**
 * @returns `undefined` for what is not `http+unix://` and an absolute path, percent-encoded, that
 * the kernel can bind. Source: contract proxy, versions of configurable-http-proxy 5.1 and 5.3.
 */
export function parseUnixSocketUrl(url: string): UnixSocketUrl | undefined {
  const [, host = '', path = ''] = /^[^:]+:\/\/([^/?#]+)(\/[^?#]*)?$/.exec(url) ?? []
  if (!isUnixSocketUrl(url)) return undefined
  const socketPath = decodeOrNothing(host)
  const isUsable =
    /^\/[^\0]*[^\0/]$/.test(socketPath) && Buffer.byteLength(socketPath) <= maxPathBytes
  return isUsable ? { socketPath, path } : undefined
}

export function toUnixSocketUrl(socketPath: string): string {
  return `http+unix://${encodeURIComponent(socketPath)}`
}

function decodeOrNothing(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
