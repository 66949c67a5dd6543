import type { UpstreamFailure } from '../metrics/counts.ts'

/** The target, or the way to it, failed in a way that the edge itself found out. */
export class UpstreamError extends Error {
  readonly reason: UpstreamFailure

  constructor(reason: UpstreamFailure, message: string) {
    super(message)
    this.reason = reason
  }
}

const reasonByCode: Readonly<Record<string, UpstreamFailure>> = {
  ECONNREFUSED: 'refused',
  // Of a Unix socket that is not there.
  ENOENT: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  ETIMEDOUT: 'timeout',
}

export function reasonOfFailure(error: Error): UpstreamFailure {
  if (error instanceof UpstreamError) return error.reason
  const { code = '' } = error as NodeJS.ErrnoException
  // OpenSSL has some two hundred codes; those of certificates say what they are.
  if (/^ERR_(?:SSL|TLS)_|CERT|UNABLE_TO_/.test(code)) return 'tls'
  return reasonByCode[code] ?? 'other'
}
