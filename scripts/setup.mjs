import { ensureSetup } from './lib/ensure-setup.mjs'
import { reportFailure } from './lib/failure.mjs'
import { clonePaths, cloneRoot } from './lib/paths.mjs'

// `npm run setup`: the set-up alone.

try {
  const { didWork } = await ensureSetup(clonePaths(cloneRoot))
  process.stdout.write(
    didWork
      ? '  set-up complete; `npx orrery` runs the hub\n'
      : '  nothing to do, everything is set up\n',
  )
} catch (error) {
  process.exitCode = reportFailure(error)
}
