import fastifySwagger from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { orreryVersion } from '../util/version.ts'
import type { RouteAccess } from './authorize.ts'
import type { ApiApp } from './context.ts'
import { modelDescription } from './shared-schemas.ts'

const tags = [
  { name: 'hub', description: 'The hub itself, and who is asking.' },
  { name: 'users', description: 'People.' },
  { name: 'servers', description: 'Single-user servers and their lives.' },
  { name: 'tokens', description: 'API tokens.' },
  { name: 'groups', description: 'Sets of users.' },
  { name: 'roles', description: 'Named sets of scopes.' },
  { name: 'services', description: 'Programs with an identity of their own.' },
  { name: 'shares', description: 'Access to servers granted to others.' },
  { name: 'proxy', description: 'The routing table.' },
  { name: 'authorizations', description: 'What older services resolve credentials with.' },
]

/** Collects the routes that are registered after it into an OpenAPI 3.1 document. */
export async function registerOpenApi(app: ApiApp): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Orrery hub API',
        version: orreryVersion,
        description:
          "The hub's REST API, compatible with JupyterHub 6. A token goes into the header " +
          '`Authorization: token …`; browsers may use the login cookie with an XSRF token.',
        license: { name: 'BSD-3-Clause', identifier: 'BSD-3-Clause' },
      },
      servers: [{ url: app.prefix }],
      tags,
      components: {
        securitySchemes: {
          token: {
            type: 'apiKey',
            in: 'header',
            name: 'Authorization',
            description: '`token ` or `Bearer `, then the token.',
          },
          cookie: {
            type: 'apiKey',
            in: 'cookie',
            name: 'jupyterhub-hub-login',
            description: 'The login cookie; writing takes the `_xsrf` cookie as `X-XSRFToken` too.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => ({ schema: describeRoute(schema, route), url }),
    transformObject: (document) => {
      return 'openapiObject' in document ? nameComponents(document.openapiObject) : {}
    },
  })
}

/** Says in words and as data which scopes a route needs: the same declaration that is enforced. */
function describeRoute(
  schema: FastifySchema | undefined,
  route: RouteOptions,
): FastifySchema & { security: Record<string, string[]>[] } {
  const access = route.config?.access
  const needed = scopesOf(access)
  const sentence =
    needed.length === 0
      ? ''
      : `Needs ${needed.length > 1 ? 'any of ' : ''}${needed.map((name) => `\`${name}\``).join(', ')}.`
  const description = [schema?.description, sentence].filter((text) => text).join('\n\n')
  return {
    ...schema,
    ...(description !== '' && { description }),
    ...((route.config?.body === 'optional' || route.config?.body === 'nullable') && {
      body: markOptional(schema?.body),
    }),
    security: access?.kind === 'public' ? [] : toSecurity(needed),
  }
}

/** One requirement per scope and kind of credentials, any one of which is enough. */
function toSecurity(scopes: readonly string[]): Record<string, string[]>[] {
  const each = scopes.length === 0 ? [[]] : scopes.map((scope) => [scope])
  return ['token', 'cookie'].flatMap((name) => each.map((list) => ({ [name]: list })))
}

function scopesOf(access: RouteAccess | undefined): readonly string[] {
  return access?.kind === 'scopes' || access?.kind === 'in-handler' ? access.anyOf : []
}

/** Marks the schema of a body that may be left out, until the document is made. */
const optionalBody = 'x-optional-body'

function markOptional(schema: unknown): object {
  return { ...(schema as object), [optionalBody]: true } // schemas are objects
}

type Document = Record<string, unknown>

/** Moves every schema with a title into `components`, so that a model is described once. */
function nameComponents<T extends object>(document: T): T {
  const schemas: Document = {}
  const { components, ...rest } = replaceTitled({ ...document }, schemas) as Document // an object stays one
  const sorted = Object.fromEntries(
    Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
  return { ...rest, components: { ...(components as object), schemas: sorted } } as T // the same members
}

function replaceTitled(value: unknown, schemas: Document, isTop = true): unknown {
  if (Array.isArray(value)) return value.map((item) => replaceTitled(item, schemas, false))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== optionalBody)
  const copy: Document = Object.fromEntries(
    entries.map(([key, item]) => [
      key,
      key === 'info' ? item : replaceTitled(item, schemas, false),
    ]),
  )
  if ('requestBody' in value && JSON.stringify(value.requestBody).includes(optionalBody)) {
    copy['requestBody'] = { ...(copy['requestBody'] as object), required: false } // it was one before
  }
  const { title } = copy
  const isSchema = 'type' in copy || 'anyOf' in copy || 'allOf' in copy
  if (isTop || typeof title !== 'string' || !isSchema) return copy
  const { [modelDescription]: description = copy['description'], ...model } = copy
  schemas[title] ??= { ...model, description: description === '' ? undefined : description }
  return { $ref: `#/components/schemas/${title}` }
}
