import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateOpenApi } from '../cli/generate-openapi.ts'
import { toBrowserClient } from './browser-client.ts'
import { toCliReference } from './cli-reference.ts'
import { type ApiDocument, toClientTypes } from './client-types.ts'
import { toRestReference } from './rest-reference.ts'
import { toScopeReference } from './scope-reference.ts'

// `npm run generate`: every file that is made from declarations in the code. With `--check` it
// writes nothing and fails when a committed file differs.

/** Texts by path in the clone, in an order in which each may depend on those before it. */
async function* generateAll(): AsyncGenerator<readonly [file: string, text: string]> {
  const openapi = await generateOpenApi()
  const document = JSON.parse(openapi) as ApiDocument // our own document
  yield ['openapi/hub.v1.json', openapi]
  yield ['packages/client/src/generated.ts', toClientTypes(document)]
  yield ['packages/hub/src/web/static/client.js', await toBrowserClient()]
  yield ['docs/reference/rest-api.md', toRestReference(document)]
  yield ['docs/reference/scopes.md', toScopeReference(document)]
  yield ['docs/reference/cli.md', toCliReference()]
}

/** @returns the exit code */
async function run(args: readonly string[]): Promise<number> {
  const isCheck = args.includes('--check')
  let stale = 0
  for await (const [file, text] of generateAll()) {
    const path = fileURLToPath(new URL(`../../../../${file}`, import.meta.url))
    const present = await readFile(path, 'utf8').catch(() => undefined)
    if (present === text) continue
    if (isCheck) {
      stale++
      process.stderr.write(`${file} is out of date. Run \`npm run generate\`.\n`)
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    process.stdout.write(`${file} written\n`)
  }
  return stale === 0 ? 0 : 1
}

process.exitCode = await run(process.argv.slice(2))
