import type { Call } from '../call.ts'
import type { CreateService } from '../generated.ts'
import type { CallOptions } from '../transport.ts'

export function createServicesResource(call: Call) {
  return {
    /** All services that the caller may list, by name. */
    list: (options?: CallOptions) => call('listServices', {}, options),
    get: (name: string, options?: CallOptions) => call('getService', { params: { name } }, options),
    /** Adds a service that somebody else runs. */
    create: (name: string, body: Omit<CreateService, 'name'>, options?: CallOptions) =>
      call('createService', { params: { name }, body }, options),
    /** Only services that were added through the API. */
    remove: (name: string, options?: CallOptions) =>
      call('deleteService', { params: { name } }, options),
  }
}
