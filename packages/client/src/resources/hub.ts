import type { Call } from '../call.ts'
import type { CallOptions } from '../transport.ts'

/** The hub itself, and who is asking. */
export function createHubResource(call: Call) {
  return {
    /** Version of the JupyterHub protocol that the hub speaks; needs no credentials. */
    version: (options?: CallOptions) => call('getVersion', {}, options),
    /** What the hub runs with. */
    info: (options?: CallOptions) => call('getInfo', {}, options),
    /** Whom the token or cookie of this client belongs to, and what it may do. */
    whoami: (options?: CallOptions) => call('whoami', {}, options),
  }
}
