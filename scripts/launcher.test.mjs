import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isNewEnough, withPrivatePython, workingFolder } from '../packages/hub/bin/launcher.mjs'

const binDir = fileURLToPath(new URL('../packages/hub/bin', import.meta.url))
/** Makes this Node say that it is an older one, so that the launcher has to start another. */
const asOldNode = [
  '--import',
  `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.9.0'}})`,
]

const program = `
  import { writeSync } from 'node:fs'
  writeSync(1, 'up ' + JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), pid: process.pid }) + '\\n')
  if (process.argv[2] === 'exit') process.exit(Number(process.argv[3]))
  if (process.argv[2] === 'die') process.kill(process.pid, process.argv[3])
  process.on('SIGINT', () => writeSync(1, 'SIGINT\\n'))
  process.on('SIGTERM', () => { writeSync(1, 'SIGTERM\\n'); process.exit(9) })
  process.on('disconnect', () => { writeSync(1, 'disconnect\\n'); process.exit(0) })
  setInterval(() => {}, 1000)
`

/**
 * A clone with the real launcher, a stand-in for the program, and this Node as the one among the npm packages.
 * @param {import('node:test').TestContext} t
 */
function makeClone(t) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'orrery-launcher-')))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const nodeDir = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin')
  const hub = join(root, 'packages', 'hub')
  for (const dir of [nodeDir, join(hub, 'bin'), join(hub, 'src')])
    mkdirSync(dir, { recursive: true })
  for (const file of ['orrery.mjs', 'launcher.mjs'])
    copyFileSync(join(binDir, file), join(hub, 'bin', file))
  const node = join(nodeDir, 'node')
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`)
  chmodSync(node, 0o755)
  writeFileSync(join(hub, 'package.json'), '{"type":"module"}')
  writeFileSync(join(hub, 'src', 'main.ts'), program)
  return { root, launcher: join(hub, 'bin', 'orrery.mjs') }
}

/**
 * @param {import('node:test').TestContext} t
 * @param {readonly string[]} args
 */
function start(t, args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
  })
  const ended = new Promise((resolve) => {
    child.on('close', (code) => resolve(code))
  })
  return {
    child,
    ended,
    output: () => output,
    until: async (/** @type {string} */ text) => {
      const deadline = Date.now() + 10_000
      while (!output.includes(text)) {
        if (Date.now() > deadline) throw new Error(`no ${text} in ${output}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
  }
}

/**
 * @param {string} output
 * @returns {{ args: string[], cwd: string, pid: number }}
 */
function parseUp(output) {
  const line = /^up (.*)$/m.exec(output)
  assert.ok(line)
  return /** @type {{ args: string[], cwd: string, pid: number }} */ (JSON.parse(line[1] ?? ''))
}

void test('Node versions from 24.12 on are new enough', () => {
  assert.deepEqual(['20.9.0', '24.11.1', '24.12.0', '24.21.0', '25.0.0'].map(isNewEnough), [
    false,
    false,
    true,
    true,
    true,
  ])
})

void test('npx from a folder inside a package works there', () => {
  const env = { npm_command: 'exec', INIT_CWD: '/clone/packages/hub/src' }
  assert.equal(workingFolder('/clone/packages/hub', env), '/clone/packages/hub/src')
  assert.equal(workingFolder('/elsewhere', env), '/elsewhere')
  assert.equal(workingFolder('/clone', { INIT_CWD: '/clone/docs' }), '/clone')
})

void test('a finished virtual environment goes first on PATH, unless there is a single-user server on it', (t) => {
  const { root } = makeClone(t)
  const venv = join(root, '.orrery', 'venv')
  mkdirSync(join(venv, 'bin'), { recursive: true })
  assert.equal(withPrivatePython(root, '/nowhere'), '/nowhere')
  writeFileSync(join(venv, '.orrery-stamp'), '')
  assert.equal(withPrivatePython(root, '/nowhere'), `${join(venv, 'bin')}:/nowhere`)
  const own = join(root, 'own')
  mkdirSync(own)
  writeFileSync(join(own, 'jupyterhub-singleuser'), '', { mode: 0o755 })
  assert.equal(withPrivatePython(root, own), own)
})

void test('a new enough Node runs the program itself, with the arguments as given', async (t) => {
  const { launcher } = makeClone(t)
  const run = start(t, [launcher, 'run', '--port', '9000'])
  await run.until('up ')
  const up = parseUp(run.output())
  assert.deepEqual(up.args, ['run', '--port', '9000'])
  assert.equal(up.pid, run.child.pid)
})

void test('an older Node starts the bundled one in the same folder and takes over its exit code', async (t) => {
  const { launcher } = makeClone(t)
  const run = start(t, [...asOldNode, launcher, 'exit', '42'])
  assert.equal(await run.ended, 42)
  const up = parseUp(run.output())
  assert.notEqual(up.pid, run.child.pid)
  assert.equal(up.cwd, process.cwd())
})

void test('a program that a signal ended gives 128 plus its number', async (t) => {
  const { launcher } = makeClone(t)
  assert.equal(await start(t, [...asOldNode, launcher, 'die', 'SIGKILL']).ended, 137)
})

void test('a signal that arrives twice at once is passed on once', async (t) => {
  const { launcher } = makeClone(t)
  const run = start(t, [...asOldNode, launcher])
  await run.until('up ')
  run.child.kill('SIGINT')
  run.child.kill('SIGINT')
  await run.until('SIGINT')
  run.child.kill('SIGTERM')
  assert.equal(await run.ended, 9)
  assert.equal(run.output().split('SIGINT').length, 2)
})

void test('the program notices that the launcher was killed', async (t) => {
  const { launcher } = makeClone(t)
  const run = start(t, [...asOldNode, launcher])
  await run.until('up ')
  run.child.kill('SIGKILL')
  await run.until('disconnect')
})

void test('before the set-up the launcher says what to do', async (t) => {
  const { root, launcher } = makeClone(t)
  rmSync(join(root, 'node_modules'), { recursive: true })
  const child = spawn(process.execPath, [launcher], { stdio: ['ignore', 'ignore', 'pipe'] })
  let message = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    message += chunk
  })
  await once(child, 'close')
  assert.equal(child.exitCode, 1)
  assert.match(message, /npm run setup/)
})
