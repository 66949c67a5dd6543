import type { Hub } from './hubs/hub.ts'
import type { Scenario } from './model.ts'
import { Session, type StepResult, TokenStore } from './session.ts'

const patientAtOnce = 6

/** Results by scenario. */
export type Run = ReadonlyMap<string, readonly StepResult[]>

/**
 * Runs scenarios on one hub: one after the other, in the order given, so that lists look the same on every hub;
 * the patient ones side by side at the end, for they mostly wait.
 */
export async function runScenarios(hub: Hub, scenarios: readonly Scenario[]): Promise<Run> {
  const tokens = new TokenStore(hub)
  const results = new Map<string, readonly StepResult[]>()
  const runOne = async (scenario: Scenario) => {
    results.set(scenario.name, await new Session(hub, tokens).run(scenario))
  }
  for (const scenario of scenarios) if (scenario.isPatient !== true) await runOne(scenario)
  const patient = scenarios.filter(({ isPatient }) => isPatient === true)
  const workers = Array.from({ length: patientAtOnce }, async () => {
    for (let next = patient.shift(); next !== undefined; next = patient.shift()) await runOne(next)
  })
  await Promise.all(workers)
  return results
}
