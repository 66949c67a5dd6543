import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { HubError } from '../domain/errors.ts'
import { shorten } from '../domain/names.ts'

/**
 * Checks requests against the schemas of their routes. Path and query values are text, so that
 * nothing is converted; a failure names the path of the first field that is wrong.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema)
  return (value: unknown) => {
    if (check.Check(value)) return { value }
    const [error] = check.Errors(value)
    return { error: new HubError('bad_request', { message: describe(error, partName(httpPart)) }) }
  }
}

function partName(httpPart: string | undefined): string {
  return httpPart === 'querystring' ? 'query' : (httpPart ?? 'body')
}

/** `body.servers.lab.last_activity must be string` */
function describe(error: TLocalizedValidationError | undefined, part: string): string {
  if (error === undefined) return `${part} is not valid`
  const path = [part, ...error.instancePath.split('/').slice(1)].map(unescapePointer)
  if (error.keyword === 'boolean') {
    return shorten(`body has unknown keys: '${path.at(-1) ?? ''}'`)
  }
  if (error.keyword === 'additionalProperties') {
    const names = error.params.additionalProperties.map((name) => `'${name}'`)
    return shorten(`${path.join('.')} has unknown keys: ${names.join(', ')}`)
  }
  if (error.keyword === 'required') {
    return shorten(`${path.join('.')} lacks ${error.params.requiredProperties.join(', ')}`)
  }
  return shorten(`${path.join('.')} ${error.message}`)
}

function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~')
}
