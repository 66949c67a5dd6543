import type { Normaliser } from './normaliser.ts'

/** What of a page other programs rely on: its forms, and where the elements with a known id point. */
export interface PageFacts {
  readonly forms: readonly FormFacts[]
  /** `id` or `id → href` of the elements that scripts and tests look for. */
  readonly elements: readonly string[]
}

interface FormFacts {
  readonly id: string
  readonly method: string
  readonly action: string
  readonly enctype: string
  /** `name:type` and for hidden fields `=value`, sorted. */
  readonly fields: readonly string[]
}

/** Ids that automation uses. Source: contract pages-and-urls §4. */
const knownIds: ReadonlySet<string> = new Set([
  'login_submit',
  'username_input',
  'password_input',
  'start',
  'stop',
  'progress-bar',
  'progress-message',
  'progress-log',
  'request-token-form',
  'token-note',
  'token-expiration-seconds',
  'token-scopes',
  'token-result',
  'spawn_form',
])

interface Tag {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
}

export function readPage(html: string, normaliser: Normaliser): PageFacts {
  const tags = listTags(html)
  const elements = tags.flatMap(({ attributes }) => describeElement(attributes, normaliser))
  const forms = listForms(tags, normaliser).map((form) => ({
    ...form,
    fields: form.fields.toSorted(),
  }))
  return { forms, elements: [...new Set(elements)].sort() }
}

/** The value of the first field of that name on the page. */
export function fieldValue(html: string, name: string): string | undefined {
  const tag = listTags(html).find(
    ({ name: tagName, attributes }) => tagName === 'input' && attributes.get('name') === name,
  )
  return tag?.attributes.get('value')
}

function describeElement(
  attributes: ReadonlyMap<string, string>,
  normaliser: Normaliser,
): string[] {
  const id = attributes.get('id')
  if (id === undefined || !knownIds.has(id)) return []
  const href = attributes.get('href')
  return [href === undefined ? id : `${id} → ${normaliser.text(href)}`]
}

function listForms(tags: readonly Tag[], normaliser: Normaliser): FormFacts[] {
  const forms: FormFacts[] = []
  let fields: string[] = []
  for (const { name, attributes } of tags) {
    if (name === 'form') {
      fields = []
      forms.push({
        id: attributes.get('id') ?? '',
        method: (attributes.get('method') ?? 'get').toLowerCase(),
        action: normaliser.text(attributes.get('action') ?? ''),
        enctype: attributes.get('enctype') ?? '',
        fields,
      })
    } else if (['input', 'select', 'textarea'].includes(name) && attributes.has('name')) {
      fields.push(describeField(name, attributes, normaliser))
    }
  }
  return forms
}

function describeField(
  tagName: string,
  attributes: ReadonlyMap<string, string>,
  normaliser: Normaliser,
): string {
  const name = attributes.get('name') ?? ''
  const type = tagName === 'input' ? (attributes.get('type') ?? 'text') : tagName
  if (type !== 'hidden') return `${name}:${type}`
  const value = attributes.get('value') ?? ''
  if (name === '_xsrf') return `_xsrf:hidden=${value === '' ? '' : '<xsrf>'}`
  return `${name}:hidden=${name === 'code' ? normaliser.name('code', value) : normaliser.text(value)}`
}

function listTags(html: string): Tag[] {
  const visible = html.replaceAll(/<(script|style)\b[\s\S]*?<\/\1>|<!--[\s\S]*?-->/gi, '')
  return [...visible.matchAll(/<([a-z][a-z0-9]*)\b((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)].map(
    ([, name = '', rest = '']) => ({ name: name.toLowerCase(), attributes: readAttributes(rest) }),
  )
}

function readAttributes(text: string): Map<string, string> {
  const found = text.matchAll(/([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)
  return new Map(
    [...found].map(([, name = '', double, single, bare]) => {
      return [name.toLowerCase(), decode(double ?? single ?? bare ?? '')]
    }),
  )
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (typeof decimal === 'string') return String.fromCodePoint(Number(decimal))
    if (typeof hex === 'string') return String.fromCodePoint(Number.parseInt(hex, 16))
    return entities[String(name)] ?? whole
  })
}
