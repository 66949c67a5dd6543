import { localProcessDefaults } from '../local-process/options.ts'
import type { LocalProcessOptions } from '../local-process/options.ts'

export interface SimpleOptions extends LocalProcessOptions {
  /** Absolute folder for each user; `{username}` is replaced. JupyterHub's `home_dir_template`. */
  readonly homeDirTemplate: string
  /** System user that every server runs as; `''` is the hub's own, or `nobody` when that is root. */
  readonly runAs: string
}

/** Source: JupyterHub 6.0, `SimpleLocalProcessSpawner`. */
export const simpleDefaults: SimpleOptions = Object.freeze({
  ...localProcessDefaults,
  homeDirTemplate: '/tmp/{username}',
  runAs: '',
})
