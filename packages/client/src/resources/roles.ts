import type { Call } from '../call.ts'
import type { CallOptions } from '../transport.ts'

/** Roles come from the configuration; Orrery alone shows them. */
export function createRolesResource(call: Call) {
  return {
    list: (options?: CallOptions) => call('listRoles', {}, options),
    get: (name: string, options?: CallOptions) => call('getRole', { params: { name } }, options),
  }
}
