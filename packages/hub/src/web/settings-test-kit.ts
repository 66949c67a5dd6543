import type { WebSettings } from './web-deps.ts'

/** Settings of the pages where a configuration says nothing. */
export const pageSettings: Omit<WebSettings, 'baseUrl' | 'hubPrefix'> = {
  redirectToServer: true,
  defaultUrl: '',
  allowNamedServers: true,
  namedServerLimitPerUser: 0,
  allowExistingInvalidNamedServers: 'allow-start',
  defaultServerName: '',
  implicitSpawnSeconds: 0,
  useLegacyStoppedServerStatusCode: false,
  userRedirectLimit: 4,
  shutdownOnLogout: false,
  autoLogin: false,
  optionsForm: '',
  optionsFromForm: (fields) => fields,
  optionsFromQuery: (fields) => fields,
  noCacheStatic: false,
  tokenExpiresInMaxSeconds: 0,
}
