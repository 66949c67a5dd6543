import type { Scenario } from '../model.ts'
import { flowCases } from './flows.ts'
import { listCases } from './lists.ts'
import { loginCases } from './login.ts'
import { restMatrix } from './matrix-rest.ts'
import { serverMatrix } from './matrix-servers.ts'
import { userMatrix } from './matrix-users.ts'
import { oauthCases } from './oauth.ts'
import { scopeCases } from './scopes.ts'
import { serverCases } from './servers.ts'
import { tokenCases } from './tokens.ts'
import { transport } from './transport.ts'
import { variantCases } from './variant.ts'
import { xsrfCases } from './xsrf.ts'

export const allScenarios: readonly Scenario[] = [
  ...transport,
  ...userMatrix,
  ...serverMatrix,
  ...restMatrix,
  ...scopeCases,
  ...listCases,
  ...xsrfCases,
  ...loginCases,
  ...tokenCases,
  ...flowCases,
  ...oauthCases,
  ...serverCases,
  ...variantCases,
]
