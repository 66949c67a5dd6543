import type { Call } from '../call.ts'
import type { Shutdown } from '../generated.ts'
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
    /** Ends the hub, with servers and proxy as the body or else the configuration says. */
    shutDown: (body: Shutdown = {}, options?: CallOptions) => call('shutDown', { body }, options),
  }
}
