import { createInterface } from 'node:readline/promises'
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import { type Arguments, helpText, parseArguments, UsageError } from './cli/arguments.ts'
import { CommandFailed } from './cli/command-failed.ts'
import { loadCookieSecret } from './config/cookie-secret.ts'
import { type LoadedConfig, loadConfig } from './config/load.ts'
import type { Config } from './config/options/classes.ts'
import { formatConfig, formatConfigJson, formatDefaults } from './config/print.ts'
import { ConfigError, messageOf } from './domain/errors.ts'
import type { WorkContext } from './lifecycle/work-context.ts'
import type { ShutdownRequest } from './api/hub/shutdown.ts'
import { openDataFolder } from './startup/data-folder.ts'
import { outliveBrokenOutput } from './util/standard-error.ts'
import { jupyterhubVersion, orreryVersion } from './util/version.ts'

export interface ProgramInput {
  /** Without the program's name. */
  readonly argv: readonly string[]
  readonly passed?: WorkContext['passed']
}

/** A second Ctrl-C within this time is the same one: terminal and npm both pass it on. */
const sameSignalMs = 500

/** Runs the program: reads the command line and does what it says. Ends the process on failure. */
export async function runProgram(input: ProgramInput): Promise<void> {
  outliveBrokenOutput()
  try {
    await run(input)
  } catch (error) {
    process.exitCode = report(error)
    // A failed start may leave handles open, and a hub that does not run must not linger.
    process.exit()
  }
}

async function run(input: ProgramInput): Promise<void> {
  const { argv } = input
  const parsed = parseArguments(argv)
  const cwd = process.cwd()
  // Each command loads what it needs: the hub is the largest part, and most do without it.
  switch (parsed.command) {
    case 'help':
      process.stdout.write(helpText(parsed.helpAll))
      return
    case 'version':
      process.stdout.write(`${jupyterhubVersion}\n`)
      return
    case 'edge': {
      const { runEdge } = await import('./cli/edge.ts')
      await runEdge([...parsed.rest], process.env)
      return
    }
    case 'administer': {
      const { runAdminister } = await import('./cli/administer.ts')
      process.exitCode = await runAdminister(parsed.rest)
      return
    }
    case 'token': {
      const { runToken } = await import('./cli/token.ts')
      const { config } = await load(parsed, cwd)
      await runToken({ config, cwd, positionals: parsed.positionals, env: process.env })
      return
    }
    case 'upgrade-db': {
      const { runUpgradeDb } = await import('./cli/upgrade-db.ts')
      const { config } = await load(parsed, cwd)
      await runUpgradeDb({ config, cwd })
      return
    }
    case 'start':
    case 'hub':
      await start(input, { parsed, cwd })
  }
}

async function start(
  input: ProgramInput,
  { parsed, cwd }: { parsed: Arguments; cwd: string },
): Promise<void> {
  if (parsed.generateConfig) return generateConfig(parsed, cwd)
  const { config, files, entries } = await load(parsed, cwd)
  const { showConfig, showConfigJson } = config.Application
  if (parsed.showConfig === 'json' || showConfigJson) {
    process.stdout.write(formatConfigJson(entries))
    return
  }
  if (parsed.showConfig === 'text' || showConfig) {
    process.stdout.write(formatConfig(entries, files))
    return
  }
  if (config.JupyterHub.generateCerts) return generateCerts(config, cwd)
  openDataFolder(config.Orrery.dataDir)
  const { startProgram } = await import('./composition/start.ts')
  const { cookieSecret, cookieSecretFile } = config.JupyterHub
  const logger = await openLogger(config)
  // The API listens a moment before the start is complete; a request to end then waits for that.
  const asked = Promise.withResolvers<ShutdownRequest>()
  const running = await startProgram({
    config,
    cookieSecret: loadCookieSecret({ configured: cookieSecret, file: cookieSecretFile, cwd }),
    cwd,
    env: process.env,
    logger,
    withEdge: parsed.command === 'start',
    ...(input.passed !== undefined && { passed: input.passed }),
    onShutdownRequest: asked.resolve,
  })

  let endingSince: number | undefined
  const end = (reason: string, request?: ShutdownRequest) => {
    if (endingSince !== undefined) {
      const isSignal = reason.startsWith('SIG')
      if (Date.now() - endingSince > sameSignalMs && isSignal) process.exit(1)
      return
    }
    endingSince = Date.now()
    running.shutDown(reason, request).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ cause: messageOf(error) }, 'Orrery did not end cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
  process.on('SIGHUP', () => end('SIGHUP'))
  // The launcher of a machine with an older Node is our parent, and ends with us and we with it.
  process.on('disconnect', () => end('disconnect'))
  void asked.promise.then((request) => end('request', request))
}

async function openLogger(config: Config): Promise<Logger> {
  const { createLogger } = await import('./observability/logger.ts')
  return createLogger({
    level: config.Application.logLevel,
    json: process.env['ORRERY_LOG_FORMAT'] === 'json',
  })
}

async function generateCerts(config: Config, cwd: string): Promise<void> {
  const { generateCertificates } = await import('./composition/internal-tls.ts')
  await generateCertificates({ config, cwd, logger: await openLogger(config) })
}

async function load(parsed: Arguments, cwd: string): Promise<LoadedConfig> {
  const loaded = await loadConfig({
    cwd,
    env: process.env,
    configFile: parsed.configFile,
    flags: parsed.flags,
    strict: parsed.strict,
  })
  for (const warning of [...parsed.warnings, ...loaded.warnings]) {
    process.stderr.write(`Warning: ${warning}\n`)
  }
  return loaded
}

async function generateConfig(parsed: Arguments, cwd: string): Promise<void> {
  const file = resolve(cwd, parsed.configFile ?? 'jupyterhub_config.py')
  if (existsSync(file) && !parsed.answerYes && !(await confirm(`Overwrite ${file}? [y/N] `))) return
  try {
    writeFileSync(file, formatDefaults(file))
  } catch (error) {
    throw new ConfigError(`${file} cannot be written: ${messageOf(error)}`, { cause: error })
  }
  process.stdout.write(`Writing default config to: ${file}\n`)
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    for (;;) {
      const answer = (await terminal.question(question)).trim().toLowerCase()
      if (answer.startsWith('y')) return true
      if (answer === '' || answer.startsWith('n')) return false
    }
  } catch {
    return false // the terminal was closed: that is no yes
  } finally {
    terminal.close()
  }
}

/** Tells the person what went wrong. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`orrery: ${error.message}\n`)
    return error.exitCode
  }
  if (error instanceof CommandFailed || error instanceof ConfigError) {
    process.stderr.write(`orrery: ${error.message}\n`)
    return 1
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`orrery ${orreryVersion} failed, and this is not your fault:\n${stack}\n`)
  return 1
}
