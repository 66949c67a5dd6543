import type { FastifyReply } from 'fastify'
import type { Place } from '../domain/urls.ts'
import { jupyterhubVersion, orreryVersion } from '../util/version.ts'
import { type Html, html, trustedHtml } from './html.ts'
import { assetUrl } from './static-assets.ts'

/** Who the page greets. */
export interface PageUser {
  readonly name: string
  readonly isAdmin: boolean
  /** Services with pages that this person may open. */
  readonly services?: readonly ServiceLink[]
}

export interface ServiceLink {
  readonly name: string
  readonly href: string
}

export interface LayoutConfig extends Place {
  readonly hubPrefix: string
  /** HTML of the operator, shown on every page; `pages` replaces it on some. */
  readonly announcement?: string | undefined
  readonly pageAnnouncements?: Readonly<Partial<Record<AnnouncementPage, string>>> | undefined
}

export type AnnouncementPage = 'login' | 'spawn' | 'home' | 'logout'

export interface PageContent {
  readonly title: string
  readonly main: Html
  readonly user?: PageUser | undefined
  /** For the page's scripts; pages without any leave it out. */
  readonly xsrfToken?: string | undefined
  readonly announce?: AnnouncementPage
  /** Facts for the page's script, as `data-` attributes of its body. */
  readonly data?: Readonly<Record<string, string>>
}

/** A whole document: head, navigation, content, footer. Works without script. */
export function renderPage(config: LayoutConfig, page: PageContent): string {
  const { baseUrl, hubPrefix } = config
  const data = Object.entries(page.data ?? {}).map(
    ([name, value]) => html` data-${name}="${value}"`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} - Orrery</title>
<link rel="icon" href="${assetUrl(hubPrefix, 'favicon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${assetUrl(hubPrefix, 'hub.css')}">
<link rel="modulepreload" href="${assetUrl(hubPrefix, 'client.js')}">
<script type="module" src="${assetUrl(hubPrefix, 'hub.js')}"></script>
</head>
<body data-base-url="${hubPrefix}" data-prefix="${baseUrl}" data-user="${page.user?.name}" data-xsrf="${page.xsrfToken}"${data}>
<a class="skip" href="#main">Skip to content</a>
<header class="site">
<a class="brand" href="${hubPrefix}"><img src="${hubPrefix}logo" alt="" width="28" height="28"> Orrery</a>
${page.user && navigation(hubPrefix, page.user)}
</header>
${announcement(config, page.announce)}
<main id="main">
${page.main}
</main>
<footer class="site"><span title="JupyterHub protocol ${jupyterhubVersion}">Orrery ${orreryVersion}</span></footer>
</body>
</html>
`.toString()
}

/** Headers of every page. Source: contract single-user-and-services §8. */
export function setPageHeaders(
  reply: FastifyReply,
  config: { hubPrefix: string; headers?: Readonly<Record<string, string>> | undefined },
): void {
  reply.headers({
    'x-jupyterhub-version': jupyterhubVersion,
    'content-security-policy': `frame-ancestors 'none'; report-uri ${config.hubPrefix}security/csp-report`,
    'access-control-allow-headers': 'accept, content-type, authorization',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'content-type': 'text/html',
    'cache-control': 'no-store',
    ...lowerCaseKeys(config.headers ?? {}),
  })
}

function navigation(hubPrefix: string, user: PageUser): Html {
  return html`<nav aria-label="Main">
<a href="${hubPrefix}home">Home</a>
<a href="${hubPrefix}token">Token</a>
${user.isAdmin && html`<a href="${hubPrefix}admin">Admin</a>`}
${serviceLinks(user.services ?? [])}
</nav>
<div class="whoami"><span>${user.name}</span> <a id="logout" href="${hubPrefix}logout">Log out</a></div>`
}

function serviceLinks(services: readonly ServiceLink[]): Html | undefined {
  if (services.length === 0) return undefined
  return html`<details class="services"><summary>Services</summary><ul>
${services.map(({ name, href }) => html`<li><a href="${href}">${name}</a></li>`)}
</ul></details>`
}

function announcement(config: LayoutConfig, page: AnnouncementPage | undefined) {
  const special = page === undefined ? undefined : config.pageAnnouncements?.[page]
  const text = special ?? config.announcement
  return text === undefined || text === ''
    ? undefined
    : html`<div class="announcement" role="note">${trustedHtml(text)}</div>`
}

function lowerCaseKeys(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([k, value]) => [k.toLowerCase(), value]))
}
