import { delimiter } from 'node:path'
import { launch } from '../packages/hub/bin/launcher.mjs'
import { ensureSetup } from './lib/ensure-setup.mjs'
import { reportFailure } from './lib/failure.mjs'
import { clonePaths, cloneRoot } from './lib/paths.mjs'
import { withDataDir } from './lib/arguments.mjs'

// `npm start`: the set-up where something is missing, then hub and edge.

const paths = clonePaths(cloneRoot)
let isReady = false
try {
  const { python, didWork } = await ensureSetup(paths)
  if (python.kind === 'venv') {
    process.env.PATH = [paths.venvBin, process.env.PATH].filter(Boolean).join(delimiter)
  }
  if (didWork) process.stdout.write('  set-up complete\n')
  isReady = true
} catch (error) {
  process.exitCode = reportFailure(error)
}
if (isReady) {
  // npm changes to the clone; paths among the arguments are meant from where the person is.
  process.chdir(process.env.INIT_CWD ?? process.cwd())
  await launch(withDataDir(process.argv.slice(2), paths.data))
}
