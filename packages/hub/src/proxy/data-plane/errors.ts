import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { ForwardOptions } from './context.ts'
import type { ProxyFailure } from './http1/asker.ts'
import { reasonOf } from './http1/local-answer.ts'
import type { LocalAnswer } from './http1/local-answer.ts'

const texts = {
  404: 'There is nothing at this address.',
  500: 'The proxy could not handle this request.',
  503: 'The server does not answer. It may be starting or stopped.',
} as const

/**
 * The answer for a request that could not be forwarded; never rejects.
 * Source: contract proxy §7.
 * @param asked - target of the request, as it was sent.
 * @param accept - its `Accept`.
 */
export async function loadFailurePage(
  options: Pick<ForwardOptions, 'errorTarget' | 'errorPath'> & {
    /** For an error target by https. */
    readonly tls?: ConnectionOptions | undefined
  },
  failure: ProxyFailure,
  { asked, accept }: { readonly asked: string; readonly accept: string },
): Promise<LocalAnswer> {
  const { code } = failure
  if (failure.isHubDown) return hubDown(asked, accept)
  const { errorTarget, errorPath, tls } = options
  if (errorTarget !== undefined) {
    // Loaded when asked for: in every worker it would take memory.
    const { askErrorTarget } = await import('./error-target.ts')
    const relayed = await askErrorTarget(errorTarget, { code, asked, tls })
    if (relayed !== undefined) return relayed
  } else if (errorPath !== undefined) {
    const file = await findErrorFile(errorPath, code)
    // What the file says of its own coding counts.
    if (file !== undefined) return answerWith(code, file, 'text/html')
  }
  return answerWith(code, page(reasonOf(code), texts[code]))
}

function hubDown(asked: string, accept: string): LocalAnswer {
  const isApi = accept.includes('json') || /\/api(?:[/?]|$)/.test(asked)
  const body = JSON.stringify({ status: 503, message: 'The hub is restarting. Try again shortly.' })
  const answer = isApi
    ? answerWith(503, body, 'application/json; charset=utf-8')
    : answerWith(503, page('The hub is restarting…', 'This page tries again by itself.'))
  return { ...answer, headers: [['Retry-After', '2'], ...answer.headers] }
}

async function findErrorFile(directory: string, code: number): Promise<Buffer | undefined> {
  for (const name of [`${code}.html`, 'error.html']) {
    const file = await readFile(join(directory, name)).catch(() => undefined)
    if (file !== undefined) return file
  }
  return undefined
}

function answerWith(
  code: number,
  body: string | Buffer,
  type = 'text/html; charset=utf-8',
): LocalAnswer {
  return {
    status: code,
    headers: [
      ['Content-Type', type],
      ['Cache-Control', 'no-store'],
    ],
    body: Buffer.from(body),
  }
}

function page(title: string, message: string): string {
  const refresh = title.startsWith('The hub') ? '<meta http-equiv="refresh" content="2">' : ''
  return `<!doctype html><html lang="en"><meta charset="utf-8">${refresh}<title>${title}</title>
<body style="font-family:system-ui;margin:4rem auto;max-width:32rem"><h1>${title}</h1><p>${message}</p></html>
`
}
