import { expect, test } from 'vitest'
import { generateOpenApi } from '../cli/generate-openapi.ts'
import { scopeTable } from '../rbac/scope-table.ts'
import { toCliReference } from './cli-reference.ts'
import { type ApiDocument, listOperations, toClientTypes } from './client-types.ts'
import { toRestReference } from './rest-reference.ts'
import { toAnchor, toScopeReference } from './scope-reference.ts'

const document = JSON.parse(await generateOpenApi()) as ApiDocument // our own document
const rest = toRestReference(document)
const headings = new Set(
  [...rest.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => toAnchor(heading)),
)

test('every endpoint and model has its place in the reference', () => {
  for (const { method, path } of listOperations(document)) {
    expect(headings).toContain(toAnchor(`${method} ${path}`))
  }
  for (const name of Object.keys(document.components.schemas)) {
    expect(headings).toContain(toAnchor(name))
  }
})

test('links of the reference lead somewhere', () => {
  const scopes = toScopeReference(document)
  const targets = [
    ...rest.matchAll(/\]\(#([^)]*)\)/g),
    ...scopes.matchAll(/rest-api\.md#([^)]*)\)/g),
  ]
  expect(targets.length).toBeGreaterThan(100)
  for (const [, target] of targets) expect(headings).toContain(target)
})

test('every scope that an endpoint needs is one', () => {
  const needed = listOperations(document).flatMap(({ operation }) =>
    operation.security.flatMap((each) => Object.values(each).flat()),
  )
  for (const scope of needed) expect(Object.keys(scopeTable)).toContain(scope)
})

test('the command line has no command without a sentence', () => {
  const text = toCliReference()
  expect(text).toContain('#### `orrery servers start <server...>`')
  expect(text).not.toMatch(/^#### .*\n\n\./m)
})

test('types of every kind of schema', () => {
  const schemas = {
    Error: { type: 'object', properties: { status: { type: 'integer' } }, required: ['status'] },
    Kind: { enum: ["it's", 'b'] },
    Either: { anyOf: [{ $ref: '#/components/schemas/Error' }, { type: 'null' }] },
    List: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
    Map: { type: 'object', additionalProperties: { type: 'boolean' } },
    Free: { type: 'object', additionalProperties: {} },
    Odd: { type: 'object', properties: { 'a-b': { description: 'ends */ early' } } },
  }
  const types = toClientTypes({ ...document, paths: {}, components: { schemas } })
  expect(types).toContain('export interface ErrorBody {\n  readonly status: number\n}')
  expect(types).toContain(`export type Kind = 'it\\'s' | 'b'`)
  expect(types).toContain('export type Either = ErrorBody | null')
  expect(types).toContain('export type List = readonly (string | null)[]')
  expect(types).toContain('export type Map = { readonly [key: string]: boolean }')
  expect(types).toContain('export type Free = JsonObject')
  expect(types).toContain(`/** ends * / early */\n  readonly 'a-b'?: Json | undefined`)
})
