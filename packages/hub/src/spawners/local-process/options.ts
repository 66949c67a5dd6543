/** Waits of a stop and what is run around the command. Shared by `local-process` and `simple`. */
export interface LocalProcessOptions {
  /** After SIGINT, before SIGTERM. JupyterHub's `interrupt_timeout`. */
  readonly interruptTimeoutMs: number
  /** After SIGTERM, before SIGKILL. JupyterHub's `term_timeout`. */
  readonly termTimeoutMs: number
  /** After SIGKILL, before the stop counts as failed. JupyterHub's `kill_timeout`. */
  readonly killTimeoutMs: number
  /** Words put before the command, which then becomes one shell-quoted word; empty for none. */
  readonly shellCmd: readonly string[]
  /** Variables copied from the environment of the hub, where it has them. */
  readonly envKeep: readonly string[]
}

/** Source: JupyterHub 6.0, `LocalProcessSpawner` option defaults. */
export const localProcessDefaults: LocalProcessOptions = Object.freeze({
  interruptTimeoutMs: 30_000,
  termTimeoutMs: 30_000,
  killTimeoutMs: 5_000,
  shellCmd: [],
  envKeep: [
    'CONDA_DEFAULT_ENV',
    'CONDA_ROOT',
    'JUPYTERHUB_SINGLEUSER_APP',
    'LANG',
    'LC_ALL',
    'LD_LIBRARY_PATH',
    'PATH',
    'PYTHONPATH',
    'VIRTUAL_ENV',
  ],
})
