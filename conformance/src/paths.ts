import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const state = join(root, '.orrery', 'conformance')

/** Places inside the clone; `conformance/setup.mjs` fills those under `.orrery`. */
export const paths = Object.freeze({
  root,
  state,
  venvBin: join(state, 'venv', 'bin'),
  python: join(state, 'venv', 'bin', 'python3'),
  npmBin: join(state, 'npm', 'node_modules', '.bin'),
  setup: join(root, 'conformance', 'setup.mjs'),
  standIn: join(root, 'conformance', 'stand-in.py'),
  schemathesisHooks: join(root, 'conformance', 'schemathesis_hooks.py'),
  orrery: join(root, 'packages', 'hub', 'src', 'main.ts'),
  differences: join(root, 'docs', 'reference', 'differences.md'),
  openapi: join(root, 'openapi', 'hub.v1.json'),
})
