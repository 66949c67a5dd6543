/** The parts of an OpenAPI document that its readers here look at. */
export interface ApiDocument {
  readonly info: { readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly deprecated?: boolean
  readonly tags: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Answer>>
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

interface Answer {
  readonly description: string
  readonly content?: Content
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly patternProperties?: Readonly<Record<string, Schema>>
}

const head = `// Made from openapi/hub.v1.json by \`npm run generate\`; changes here are lost.

/** What JSON can hold, where the API leaves the content to somebody else. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}
`

/** The models and operations of the document as TypeScript. */
export function toClientTypes(document: ApiDocument): string {
  const models = Object.entries(document.components.schemas).map(
    ([name, schema]) =>
      `${comment(schema.description, '')}export ${declare(typeName(name), schema)}\n`,
  )
  const operations = listOperations(document)
  const types = operations.map(({ operation }) => describeOperation(operation)).join('')
  const table = operations.map(({ operation, method, path }) => {
    return `  ${operation.operationId}: { method: '${method}', path: '${path}' },\n`
  })
  return [
    head,
    ...models,
    `/** What each operation takes and answers with; \`undefined\` is an empty body. */
export interface Operations {
${types}}
`,
    `/** Method and path of each operation. */
export const operations = {
${table.join('')}} as const satisfies Readonly<Record<keyof Operations, { method: string; path: string }>>
`,
  ].join('\n')
}

/** Every operation with its place, in the order of the document. */
export function listOperations(
  document: ApiDocument,
): { operation: Operation; method: string; path: string }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      operation,
      method: method.toUpperCase(),
      path,
    })),
  )
}

/** The model of errors must not hide JavaScript's own. */
function typeName(model: string): string {
  return model === 'Error' ? 'ErrorBody' : model
}

function declare(name: string, schema: Schema): string {
  const text = toType(schema, '')
  return text.startsWith('{') && text.endsWith('}') && schema.properties !== undefined
    ? `interface ${name} ${text}`
    : `type ${name} = ${text}`
}

function describeOperation(operation: Operation): string {
  const { operationId, summary, parameters = [], requestBody, responses } = operation
  const of = (place: string) => parameters.filter((parameter) => parameter.in === place)
  const body = requestBody && contentType(requestBody.content)
  const optional = requestBody?.required === false ? ' | undefined' : ''
  const answers = Object.entries(responses).filter(([status]) => status.startsWith('2'))
  const indent = '    '
  return `${comment(summary, '  ')}  readonly ${operationId}: {
    readonly params: ${toType(toObject(of('path')), indent)}
    readonly query: ${toType(toObject(of('query')), indent)}
    readonly body: ${body === undefined ? 'undefined' : `${toType(body, indent)}${optional}`}
    readonly answers: {
${answers.map(([status, answer]) => `      readonly ${status}: ${answerType(answer)}\n`).join('')}    }
  }
`
}

function answerType({ content }: Answer): string {
  const schema = content && contentType(content)
  return schema === undefined ? 'undefined' : toType(schema, '      ')
}

function contentType(content: Content): Schema | undefined {
  return Object.values(content)[0]?.schema
}

function toObject(parameters: readonly Parameter[]): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      parameters.map(({ name, schema, description }) => [
        name,
        { ...schema, ...(description !== undefined && { description }) },
      ]),
    ),
    required: parameters.filter(({ required }) => required === true).map(({ name }) => name),
  }
}

/** A schema as a TypeScript type. What has no counterpart in it (patterns, bounds) is left out. */
function toType(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return typeName(schema.$ref.split('/').at(-1) ?? '')
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum !== undefined) return union(schema.enum.map(literal))
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return union(choices.map((choice) => toType(choice, indent)))
  if (schema.allOf !== undefined) {
    return schema.allOf.map((part) => inBrackets(toType(part, indent))).join(' & ')
  }
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case 'integer':
    case 'number':
      return 'number'
    case 'array':
      return `readonly ${inBrackets(toType(schema.items ?? {}, indent))}[]`
    case 'object':
      return objectType(schema, indent)
    case undefined:
      return 'Json'
    default:
      throw new TypeError(`no TypeScript for the schema type ${schema.type}`)
  }
}

function objectType(schema: Schema, indent: string): string {
  const { properties, additionalProperties, patternProperties, required = [] } = schema
  if (properties === undefined) {
    const values =
      typeof additionalProperties === 'object'
        ? additionalProperties
        : Object.values(patternProperties ?? {})[0]
    const type = toType(values ?? {}, indent)
    return type === 'Json' ? 'JsonObject' : `{ readonly [key: string]: ${type} }`
  }
  const inner = `${indent}  `
  const lines = Object.entries(properties).map(([name, property]) => {
    const isRequired = required.includes(name)
    const type = toType(property, inner)
    const key = /^[a-z_]\w*$/i.test(name) ? name : `'${name}'`
    const end = isRequired ? '' : ' | undefined'
    return `${comment(property.description, inner)}${inner}readonly ${key}${isRequired ? '' : '?'}: ${type}${end}\n`
  })
  if (lines.length === 0) return '{}'
  return `{\n${lines.join('')}${indent}}`
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll(/['\\]/g, '\\$&')}'` : String(value)
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ')
}

function inBrackets(type: string): string {
  return /[|&]/.test(type.replaceAll(/\{[^]*\}/g, '')) ? `(${type})` : type
}

function comment(text: string | undefined, indent: string): string {
  if (text === undefined || text === '') return ''
  const lines = text.replaceAll('*/', '* /').split('\n')
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}
