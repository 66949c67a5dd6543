import type { Principal } from '../../access/principal.ts'
import type { Service } from '../../domain/records.ts'
import { servicePath } from '../../domain/service-definition.ts'
import { listRoleNamesOfServices } from '../../storage/access.ts'
import { listServiceRuns } from '../../storage/service-runs.ts'
import { findServiceById } from '../../storage/services.ts'
import type { Store } from '../../storage/store.ts'
import type { ApiDeps } from '../context.ts'
import type { Viewer } from '../permissions.ts'
import type { ServiceModel } from './schemas.ts'

type ViewDeps = Pick<ApiDeps, 'store' | 'settings'>

/** A service with what its model needs besides. */
interface ServiceRecord {
  readonly service: Service
  readonly roles: readonly string[]
  /** 0 without a process. */
  readonly pid: number
}

/** Models of services as one viewer sees them; those with no visible key are left out. */
export async function viewServices(
  deps: ViewDeps,
  services: readonly Service[],
  viewer: Viewer,
): Promise<Map<string, ServiceModel>> {
  const models = new Map<string, ServiceModel>()
  for (const record of await loadRecords(deps.store, services)) {
    const model = view(record, { viewer, baseUrl: deps.settings.baseUrl })
    if (model !== undefined) models.set(record.service.name, model)
  }
  return models
}

/** `undefined` when the viewer may see nothing of it. */
export async function viewService(
  deps: ViewDeps,
  service: Service,
  viewer: Viewer,
): Promise<ServiceModel | undefined> {
  return (await viewServices(deps, [service], viewer)).get(service.name)
}

/** A service as it sees itself. */
export async function loadServiceView(
  deps: ViewDeps,
  principal: Principal,
  viewer: Viewer,
): Promise<ServiceModel> {
  const service = await findServiceById(deps.store.db, principal.id)
  return (service && (await viewService(deps, service, viewer))) ?? {}
}

async function loadRecords(store: Store, services: readonly Service[]): Promise<ServiceRecord[]> {
  const ids = services.map((service) => service.id)
  const names = services.filter(({ command }) => command.length > 0).map(({ name }) => name)
  const [roles, runs] = await Promise.all([
    listRoleNamesOfServices(store.db, ids),
    listServiceRuns(store.db, names),
  ])
  const pids = new Map(runs.map((run) => [run.name, run.state['pid']]))
  return services.map((service) => {
    const pid = pids.get(service.name)
    return {
      service,
      roles: roles.get(service.id) ?? [],
      pid: typeof pid === 'number' ? pid : 0,
    }
  })
}

function view(
  record: ServiceRecord,
  options: { viewer: Viewer; baseUrl: string },
): ServiceModel | undefined {
  const { service } = record
  const { name, admin, url, info, display } = service
  const full: Required<ServiceModel> = {
    kind: 'service',
    name,
    admin,
    roles: [...record.roles],
    url,
    prefix: url === '' ? '' : servicePath(options.baseUrl, name),
    command: [...service.command],
    pid: record.pid,
    info: { ...info },
    display,
  }
  const visible: ReadonlySet<string> = options.viewer.serviceKeys(name)
  const entries = Object.entries(full).filter(([key]) => visible.has(key))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
