import { HubError } from '../../domain/errors.ts'
import { findUserById } from '../../storage/users.ts'
import { jupyterhubVersion } from '../../util/version.ts'
import { type Caller, callerOf } from '../authorize.ts'
import type { ApiApp, ApiDeps } from '../context.ts'
import { toScopeStrings } from '../../rbac/scope-set.ts'
import { Viewer } from '../permissions.ts'
import { answer, errors, wantsStopped } from '../shared-schemas.ts'
import { toWireTokenId } from '../tokens/views.ts'
import { loadUserRecord } from '../users/queries.ts'
import { OneQuery } from '../users/schemas.ts'
import { viewUser } from '../users/views.ts'
import {
  type IdentityModel,
  IdentityModel as IdentitySchema,
  InfoModel,
  VersionModel,
} from './schemas.ts'
import { registerShutdown } from './shutdown.ts'
import { loadServiceView } from '../services/views.ts'

export function registerHubRoutes(app: ApiApp, deps: ApiDeps): void {
  registerVersion(app)
  registerInfo(app, deps)
  registerWhoami(app, deps)
  registerShutdown(app, deps)
}

function registerVersion(app: ApiApp): void {
  for (const [url, hide] of [
    ['/', false],
    ['', true],
  ] as const) {
    app.get(
      url,
      {
        prefixTrailingSlash: 'slash',
        config: { access: { kind: 'public' } },
        schema: {
          operationId: 'getVersion',
          summary: 'Version of the hub',
          tags: ['hub'],
          hide,
          response: { 200: answer(VersionModel, 'The version.') },
        },
      },
      async () => {
        return { version: jupyterhubVersion }
      },
    )
  }
}

function registerInfo(app: ApiApp, deps: ApiDeps): void {
  const { settings } = deps
  app.get(
    '/info',
    {
      config: { access: { kind: 'scopes', anyOf: ['read:hub'], resource: 'none' } },
      schema: {
        operationId: 'getInfo',
        summary: 'What the hub runs with',
        tags: ['hub'],
        response: { 200: answer(InfoModel, 'Versions and classes.'), ...errors(403) },
      },
    },
    async () => {
      const python = await deps.findPython()
      return {
        version: jupyterhubVersion,
        python: python.version,
        sys_executable: python.executable,
        spawner: settings.spawner,
        authenticator: settings.authenticator,
      }
    },
  )
}

function registerWhoami(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/user',
    {
      config: { access: { kind: 'identified' } },
      schema: {
        operationId: 'whoami',
        summary: 'The caller',
        description: 'Whom the presented token or login cookie belongs to, with its scopes.',
        tags: ['hub'],
        querystring: OneQuery,
        response: { 200: answer(IdentitySchema, 'The caller.'), ...errors(403) },
      },
    },
    async (request) => {
      const caller = callerOf(request)
      return viewIdentity(deps, caller, wantsStopped(request.query))
    },
  )
}

/** Scopes that let anybody see who they are are added for the model, yet not listed. */
async function viewIdentity(
  deps: ApiDeps,
  caller: Caller,
  includeStopped: boolean,
): Promise<IdentityModel> {
  const { principal, membership } = caller
  const { kind, name, token } = principal
  const viewer = Viewer.ofSelf(principal, membership)
  const model =
    kind === 'user'
      ? await viewSelf(deps, caller, { viewer, includeStopped })
      : await loadServiceView(deps, principal, viewer)
  return {
    ...model,
    kind,
    name,
    token_id: token === undefined ? null : toWireTokenId(token.id),
    session_id: token?.sessionId ?? null,
    scopes: toScopeStrings(principal.scopes),
  }
}

async function viewSelf(
  deps: ApiDeps,
  caller: Caller,
  options: { viewer: Viewer; includeStopped: boolean },
) {
  const user = await findUserById(deps.store.db, caller.principal.id)
  if (user === undefined) throw new HubError('credentials_missing')
  const record = await loadUserRecord(deps.store, user)
  return viewUser(record, { ...options, settings: deps.settings }) ?? {}
}
