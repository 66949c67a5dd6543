import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** Chromium of the machine: `ORRERY_CHROMIUM`, or by name on the PATH. */
export function findChromium(): string | undefined {
  const named = process.env['ORRERY_CHROMIUM']
  if (named !== undefined && named !== '') return named
  return ['chromium', 'chromium-browser', 'google-chrome'].flatMap(onPath)[0]
}

/** The single-user server on the PATH, with JupyterLab beside it. */
export function findSingleUser(): string | undefined {
  return onPath('jupyterhub-singleuser').find((program) => {
    try {
      const python = join(program, '..', 'python3')
      execFileSync(python, ['-c', 'import jupyterlab, notebook, jupyterhub'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

function onPath(name: string): string[] {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .filter((path) => existsSync(path))
}
