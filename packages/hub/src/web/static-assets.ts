import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'

/** A file under `{hub}static/`, held in memory: there are a few small ones. */
export interface Asset {
  readonly body: Buffer
  readonly contentType: string
  readonly modifiedAt: Date
  /** Changes with the content. */
  readonly hash: string
}

/** By extension of the file name. */
export const contentTypes: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/vnd.microsoft.icon',
  txt: 'text/plain',
}

/** Names that customised pages of existing deployments use. Source: contract pages-and-urls §9. */
const aliases: Readonly<Record<string, string>> = {
  'favicon.ico': 'favicon.svg',
  'images/jupyterhub-80.png': 'logo.svg',
  'css/style.min.css': 'hub.css',
}

const folder = new URL('./static/', import.meta.url)
const assets = loadAssets()

export function findAsset(name: string): Asset | undefined {
  return assets.get(Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name)
}

/** URL of a file that may be cached for good: it carries the hash of the content. */
export function assetUrl(hubPrefix: string, name: string): string {
  const asset = assets.get(name)
  if (asset === undefined) throw new TypeError(`there is no static file ${name}`)
  return `${hubPrefix}static/${name}?v=${asset.hash}`
}

function loadAssets(): Map<string, Asset> {
  const names = readdirSync(folder).filter((name) => extensionOf(name) in contentTypes)
  return new Map(names.map((name) => [name, loadAsset(name)]))
}

function loadAsset(name: string): Asset {
  const file = new URL(name, folder)
  const content = readFileSync(file)
  const body = name.endsWith('.js') ? withVersionedImports(content) : content
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16)
  const contentType = contentTypes[extensionOf(name)] ?? 'application/octet-stream'
  return { body, contentType, modifiedAt: statSync(file).mtime, hash }
}

/** What a script imports carries the hash of its content too, so that both may be kept for good. */
function withVersionedImports(script: Buffer): Buffer {
  const text = script
    .toString('utf8')
    .replaceAll(/ from '\.\/([\w.-]+\.js)'/g, (_match, name: string) => {
      return ` from './${name}?v=${loadAsset(name).hash}'`
    })
  return Buffer.from(text)
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
