import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const entry = fileURLToPath(new URL('../../../client/src/index.ts', import.meta.url))

/** The client as one module that browsers load; the pages' own script imports it. */
export async function toBrowserClient(): Promise<string> {
  const bundle = await rolldown({ input: entry, platform: 'browser' })
  try {
    const { output } = await bundle.generate({ format: 'es', comments: false })
    return `// Made from packages/client by \`npm run generate\`; changes here are lost.\n${output[0].code}`
  } finally {
    await bundle.close()
  }
}
