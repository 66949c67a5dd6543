import { flushCompileCache } from 'node:module'
import { startEdge } from '../proxy/data-plane/edge.ts'
import type { Edge, EdgeOptions } from '../proxy/data-plane/edge.ts'
import type { Listen } from '../proxy/data-plane/listen.ts'
import { signalProcess } from '../util/process-identity.ts'
import { outliveBrokenOutput } from '../util/standard-error.ts'
import { orreryVersion } from '../util/version.ts'
import { edgeHelp, readEdgeFlags } from './edge-flags.ts'
import { parseEdgeFlags } from './edge-options.ts'
import { checkPidFile, leavePidFile, takePidFile } from './pid-file.ts'

/**
 * Runs the edge until SIGTERM or SIGINT, then ends the process with exit code 2 as
 * configurable-http-proxy does; a bad flag or an address that is taken ends it with 1. `--help` and
 * `--version` print and end it with 0.
 * @param argv - flags, without the program's name.
 * @param env - `CONFIGPROXY_AUTH_TOKEN` and the passphrases of keys are read.
 */
export async function runEdge(argv: string[], env: NodeJS.ProcessEnv): Promise<void> {
  outliveBrokenOutput()
  try {
    const information = findInformation(argv)
    if (information !== undefined) {
      process.stdout.write(information, () => process.exit(0))
      return
    }
    const { options, drainMs, webSocketsMs, pidPath, isReplacing } = parseEdgeFlags(argv, env)
    const onDead = (error: Error): void => {
      options.log('error', `the edge ends: ${error.message}`)
      process.exit(1)
    }
    if (pidPath !== undefined) checkPidFile(pidPath)
    let edge: Edge | undefined
    // By custom it asks a server to read its files again; unhandled it would be the end.
    process.on('SIGHUP', () => edge?.reloadCertificates())
    edge = await startEdge({ ...options, onDead })
    tellWhere(edge, options)
    if (options.token === '')
      options.log('warn', 'CONFIGPROXY_AUTH_TOKEN is not set: the API is open')
    let isStopping = false
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) return process.exit(2)
      isStopping = true
      if (pidPath !== undefined) leavePidFile(pidPath)
      edge.close(drainMs, signal === 'SIGTERM' ? webSocketsMs : 0).then(
        () => process.exit(2),
        () => process.exit(2),
      )
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
    // Whoever waits for a successor to take over wants it whole.
    if (options.isSuccessor === true) await edge.complete()
    // Who reads the file may send a signal at once.
    const predecessor = pidPath === undefined ? undefined : await takePidFile(pidPath, options.log)
    if (isReplacing && predecessor !== undefined) {
      options.log('info', `Taking over from process ${predecessor.pid}, which ends`)
      signalProcess(predecessor, 'SIGTERM')
    }
    // Node does so at its end only, which a kill takes away.
    await edge.complete()
    flushCompileCache()
  } catch (error) {
    process.stderr.write(`orrery edge: ${explain(error)}\n`)
    process.exit(1)
  }
}

function tellWhere(edge: Edge, options: EdgeOptions): void {
  const { log, publicListen, apiListen, metricsListen } = options
  const place = (port: number, { socketPath }: Listen): string => socketPath ?? `port ${port}`
  const [at, apiAt] = [place(edge.port, publicListen), place(edge.apiPort, apiListen)]
  log('info', `Proxying on ${at}, API on ${apiAt}`)
  if (edge.metricsPort !== undefined && metricsListen !== undefined)
    log('info', `Metrics on ${place(edge.metricsPort, metricsListen)}`)
  if (edge.redirectPort !== undefined)
    log('info', `Redirecting to HTTPS from port ${edge.redirectPort}`)
}

/** What `--help` or `--version` ask for; `undefined` when neither is given. */
function findInformation(argv: readonly string[]): string | undefined {
  const { help, version } = readEdgeFlags(argv)
  if (help) return edgeHelp()
  return version ? `${orreryVersion}\n` : undefined
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port, address } = error as NodeJS.ErrnoException & {
    port?: number
    address?: string
  }
  if (code === 'EADDRINUSE')
    return port === undefined || port < 0 // of a Unix socket
      ? `${address} is taken by another program; choose another --socket or --api-socket`
      : `port ${port} is taken by another program; choose another --port, --api-port or --metrics-port`
  if (code === 'EACCES')
    return `not allowed to listen on ${port === undefined ? address : `port ${port}`}`
  if (code === 'EADDRNOTAVAIL') return `${address} is no address of this machine`
  return error.message
}
