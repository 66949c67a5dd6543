import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Hub } from './hubs/hub.ts'
import { configuredToken } from './hubs/principals.ts'
import { holds } from './model.ts'
import { paths } from './paths.ts'
import { TokenStore } from './session.ts'

/** One run of the tool. */
interface Pass {
  readonly name: string
  readonly token: string
  readonly args: readonly string[]
}

/** The outcome of one run. */
export interface PassResult {
  readonly name: string
  readonly isGood: boolean
  /** Operations tried, cases made and the like, as the tool says it. */
  readonly output: string
}

/** The same cases on every run. */
const seed = '20260601'
const passDeadlineMs = 240_000

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
].join(',')

/**
 * Tries the hub with requests made from its own OpenAPI document: none may give a 5xx, or an answer that the
 * document does not have. With everything allowed, and with nothing allowed. A shutdown gets only bodies that must
 * be refused, by `schemathesis_hooks.py`.
 */
export async function runSchemathesis(hub: Hub): Promise<PassResult[]> {
  const results: PassResult[] = []
  for (const pass of await passes(hub)) results.push(await runPass(hub, pass))
  return results
}

async function passes(hub: Hub): Promise<Pass[]> {
  const admin = configuredToken('admin') ?? ''
  const nothing = (await new TokenStore(hub).get(holds([]))) ?? ''
  return [
    { name: 'everything allowed', token: admin, args: ['--max-examples=60'] },
    { name: 'nothing allowed', token: nothing, args: ['--max-examples=10'] },
  ]
}

function runPass(hub: Hub, { name, token, args }: Pass): Promise<PassResult> {
  const all = [
    'run',
    paths.openapi,
    `--url=${hub.origin}${hub.baseUrl}hub/api`,
    `--header=Authorization: token ${token}`,
    `--checks=${checks}`,
    '--phases=examples,coverage,fuzzing',
    `--seed=${seed}`,
    '--no-shrink',
    '--continue-on-failure',
    '--request-timeout=30',
    '--suppress-health-check=all',
    '--warnings=off',
    '--no-color',
    ...args,
  ]
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(join(paths.venvBin, 'schemathesis'), all, {
      cwd: hub.folder,
      env: { ...process.env, SCHEMATHESIS_HOOKS: paths.schemathesisHooks },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), passDeadlineMs)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.on('error', (error) => {
      output += error.message
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ name, isGood: code === 0, output })
    })
  })
}
