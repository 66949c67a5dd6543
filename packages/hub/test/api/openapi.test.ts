import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { generateOpenApi, openApiFile } from '../../src/cli/generate-openapi.ts'

const anyText: unknown = expect.any(String)
const anyList: unknown = expect.any(Array)
const anyObject: unknown = expect.any(Object)

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly security?: readonly object[]
  readonly responses?: Record<string, unknown>
}

describe('API description', () => {
  it('is the committed one', async () => {
    expect(await generateOpenApi()).toBe(await readFile(openApiFile, 'utf8'))
  })

  it('describes every operation', async () => {
    const { paths } = JSON.parse(await readFile(openApiFile, 'utf8')) as {
      paths: Record<string, Record<string, Operation>>
    }
    const operations = Object.values(paths).flatMap((path) => Object.values(path))
    expect(operations.length).toBeGreaterThan(25)
    const ids = operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const operation of operations) {
      expect(operation).toMatchObject({
        operationId: anyText,
        summary: anyText,
        tags: [anyText],
        security: anyList,
        responses: anyObject,
      })
    }
  })
})
