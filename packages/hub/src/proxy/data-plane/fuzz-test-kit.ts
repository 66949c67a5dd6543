import type { Parameters } from 'fast-check'

/**
 * How long and from where a property is tried. `ORRERY_FUZZ_RUNS` multiplies the runs. New cases are
 * for those who develop, and no reason for somebody else's change to be refused: with `CI` the cases
 * are the same each time. A failure tells its seed and path.
 */
export function fuzz<T>(numRuns: number): Pick<Parameters<T>, 'numRuns' | 'seed' | 'verbose'> {
  const factor = Number(process.env['ORRERY_FUZZ_RUNS'] ?? '1')
  return {
    numRuns: Math.ceil(numRuns * factor),
    verbose: 1,
    ...(process.env['CI'] === undefined ? {} : { seed: 1 }),
  }
}

/** Time for a property that is tried longer, too. */
export const fuzzTimeoutMs = 60_000 * Math.max(1, Number(process.env['ORRERY_FUZZ_RUNS'] ?? '1'))
