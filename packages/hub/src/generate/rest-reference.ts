import { type ApiDocument, listOperations, type Operation, type Schema } from './client-types.ts'
import { code, codes, madeBy, toPage, toTable } from './markdown.ts'

type Placed = ReturnType<typeof listOperations>[number]

/** `docs/reference/rest-api.md`: every endpoint and model of the document. */
export function toRestReference(document: ApiDocument): string {
  const operations = listOperations(document)
  const sections = document.tags.flatMap(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags[0] === name)
    return own.length === 0
      ? []
      : [
          `## ${name.charAt(0).toUpperCase()}${name.slice(1)}`,
          description,
          ...own.map(describeOperation),
        ]
  })
  const models = Object.entries(document.components.schemas)
  return toPage([
    madeBy,
    '# REST API',
    document.info.description,
    'Paths are below `/hub/api` (`{base_url}hub/api`). The same as a document for programs is `openapi/hub.v1.json`, and ' +
      '`/hub/api/openapi.json` of a running hub; `/hub/api/docs` is a page to try it. ' +
      '[Scopes](scopes.md) has what the scopes mean, [errors](errors.md) what can go wrong, ' +
      '[differences](differences.md) what is not as in JupyterHub. `@orrery/client` is a typed client.',
    `An error is an [Error](#error). ${pagination}`,
    ...sections,
    '## Models',
    'Keys without “yes” under _always_ may be absent.',
    ...models.map(([name, schema]) => describeModel(name, schema)),
  ])
}

const pagination =
  'Lists come a page at a time: `offset` and `limit` choose it, and with the header `Accept: ' +
  'application/jupyterhub-pagination+json` it comes in an envelope with `items` and `_pagination`.'

function describeOperation({ operation, method, path }: Placed): string {
  const { summary, description = '', deprecated, parameters = [], requestBody } = operation
  const body = requestBody && Object.values(requestBody.content)[0]?.schema
  const isOptional = requestBody?.required === false ? ', may be left out' : ''
  return toPage([
    `### ${method} ${path}`,
    `${summary}.${deprecated === true ? ' **Deprecated.**' : ''}`,
    withoutScopes(description),
    scopesOf(operation),
    parameters.length === 0
      ? ''
      : toTable(
          ['parameter', 'in', 'type', 'meaning'],
          parameters.map(({ name, in: place, schema, description: text = '' }) => [
            code(name),
            place,
            typeOf(schema),
            text,
          ]),
        ),
    body === undefined ? '' : `Body: ${typeOf(body)}${isOptional}.`,
    toTable(
      ['status', 'answer', 'meaning'],
      Object.entries(operation.responses).map(([status, { description: text, content }]) => {
        const [type, entry] = Object.entries(content ?? {})[0] ?? []
        const events = type === 'text/event-stream' ? 'events of ' : ''
        return [status, entry === undefined ? '' : `${events}${typeOf(entry.schema)}`, text]
      }),
    ),
  ]).trimEnd()
}

/** The sentence that the document itself adds to the description. */
function withoutScopes(description: string): string {
  return description.replace(/(?:^|\n\n)Needs (?:any of )?`[^\n]*$/, '')
}

function scopesOf({ security }: Operation): string {
  if (security.length === 0) return 'Open to everybody.'
  const scopes = [...new Set(security.flatMap((each) => Object.values(each).flat()))]
  if (scopes.length === 0) return 'For everybody with credentials.'
  return `Scopes: ${scopes.length > 1 ? 'any of ' : ''}${codes(scopes)}.`
}

function describeModel(name: string, schema: Schema): string {
  const parts = schema.allOf ?? [schema]
  const rows = parts.flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).map(([key, property]) => [
      code(key),
      typeOf(property),
      required.includes(key) ? 'yes' : '',
      property.description ?? '',
    ]),
  )
  return toPage([
    `### ${name}`,
    schema.description ?? '',
    rows.length === 0 ? typeOf(schema) : toTable(['key', 'type', 'always', 'meaning'], rows),
  ]).trimEnd()
}

/** A type in a few words, with links to models. */
function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return linkTo(schema.$ref.split('/').at(-1) ?? '')
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.enum !== undefined) return codes(schema.enum.map((value) => JSON.stringify(value)))
  const choices = schema.anyOf ?? schema.oneOf ?? []
  if (choices.length > 0) return [...new Set(choices.map(typeOf))].join(' or ')
  switch (schema.type) {
    case 'array':
      return `list of ${typeOf(schema.items ?? {})}`
    case 'object':
      return objectIn(schema)
    case undefined:
      return 'anything'
    default:
      return schema.type
  }
}

function objectIn({ properties, additionalProperties }: Schema): string {
  if (properties !== undefined && Object.keys(properties).length > 0) {
    const entries = Object.entries(properties)
    return `{ ${entries.map(([key, value]) => `${code(key)}: ${typeOf(value)}`).join(', ')} }`
  }
  const isMap = typeof additionalProperties === 'object' && additionalProperties.$ref !== undefined
  return isMap ? `object of ${typeOf(additionalProperties)}` : 'object'
}

function linkTo(model: string): string {
  return `[${model}](#${model.toLowerCase()})`
}
