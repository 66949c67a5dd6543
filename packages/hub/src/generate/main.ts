import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateOpenApi } from '../cli/generate-openapi.ts'
import { type ApiDocument, toClientTypes } from './client-types.ts'

// `npm run generate`: every file that is made from declarations in the code. With `--check` it
// writes nothing and fails when a committed file differs.

interface Artefact {
  /** Path in the clone. */
  readonly file: string
  readonly text: string
}

async function generateAll(): Promise<Artefact[]> {
  const openapi = await generateOpenApi()
  const document = JSON.parse(openapi) as ApiDocument // our own document
  return [
    { file: 'openapi/hub.v1.json', text: openapi },
    { file: 'packages/client/src/generated.ts', text: toClientTypes(document) },
  ]
}

/** @returns the exit code */
async function run(args: readonly string[]): Promise<number> {
  const isCheck = args.includes('--check')
  let stale = 0
  for (const { file, text } of await generateAll()) {
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
