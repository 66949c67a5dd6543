/** A step that failed: what happened, and what the person at the terminal can do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {{ remedy: string, output?: string }} details `output`: the end of what the tool printed.
   */
  constructor(message, details) {
    super(message)
    this.name = 'SetupError'
    this.remedy = details.remedy
    this.output = details.output ?? ''
  }
}

/** Asked in this order: a full disk also makes downloads fail. */
const causes = [
  {
    sign: /ENOSPC|EDQUOT|No space left on device|Errno 28|Disk quota exceeded/,
    message: 'the disk is full',
    remedy:
      'Free some space (the set-up needs about 1.5 GB in the clone), then run the command again.',
  },
  {
    sign: /SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_HAS_EXPIRED|CERTIFICATE_VERIFY_FAILED/,
    message: 'the certificate of the package registry is not trusted here',
    remedy:
      'Behind a proxy that opens TLS, name its certificate: NODE_EXTRA_CA_CERTS=/path/ca.pem for npm, PIP_CERT=/path/ca.pem for pip.',
  },
  {
    sign: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Temporary failure in name resolution|Name or service not known|ProxyError|Connection (?:refused|reset)|Network is unreachable/,
    message: 'the package registry cannot be reached',
    remedy:
      'Check the network and HTTPS_PROXY. With a mirror: `npm config set registry URL` for npm packages, PIP_INDEX_URL=URL for Python ones. Then run the command again.',
  },
  {
    sign: /\bE40[13]\b|HTTP error 40[13]|40[13] (?:Client Error|Forbidden|Unauthorized)/,
    message: 'the package registry refused access',
    remedy:
      'Check the registry settings and credentials (`npm config get registry`, `pip config list`).',
  },
  {
    sign: /EUSAGE|are in sync|EJSONPARSE/,
    message: 'package.json and package-lock.json do not belong together',
    remedy: 'Restore both from git, or run `npm install` after changing a dependency.',
  },
  {
    // pip does not say which of the two when it was told not to retry.
    sign: /\(from versions: none\)/,
    message: 'the package registry cannot be reached, or does not have the package at all',
    remedy:
      'Check the network, HTTPS_PROXY, and which registry `pip config list` and PIP_INDEX_URL name. Then run the command again.',
  },
  {
    sign: /No matching distribution found|ResolutionImpossible|requires a different Python|ETARGET|\bE404\b/,
    message: 'the package registry does not have a version that is needed',
    remedy: 'A mirror may lag behind: see `npm config get registry` and `pip config list`.',
  },
  {
    sign: /EACCES|EPERM|EROFS|Permission denied|Read-only file system/,
    message: 'a file cannot be written',
    remedy:
      'The clone must belong to you and be writable; a `sudo npm` in the past may have left files of root.',
  },
]

/**
 * Finds out from a tool's output why it failed.
 * @param {string} what the step, as in `npm packages`
 * @param {string} output
 * @returns {SetupError}
 */
export function explainFailure(what, output) {
  const cause = causes.find(({ sign }) => sign.test(output))
  return new SetupError(`${what}: ${cause?.message ?? 'the tool failed'}`, {
    remedy:
      cause?.remedy ?? 'The output above says why. When that is put right, run the command again.',
    output: lastLines(output, 20),
  })
}

/**
 * @param {string} text
 * @param {number} count
 */
export function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/**
 * Prints a failure for people and returns the exit code.
 * @param {unknown} error
 * @returns {number}
 */
export function reportFailure(error) {
  if (error instanceof SetupError) {
    const indented = error.output === '' ? '' : `\n${error.output.replaceAll(/^/gm, '    ')}\n`
    process.stderr.write(`${indented}\nFailed: ${error.message}\n  ${error.remedy}\n`)
  } else if (isDiskFull(error)) {
    process.stderr.write(`\nFailed: the disk is full\n  ${causes[0]?.remedy}\n`)
  } else {
    process.stderr.write(`\nFailed: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  return 1
}

/** @param {unknown} error */
function isDiskFull(error) {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}
