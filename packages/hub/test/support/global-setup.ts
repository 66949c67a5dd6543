import type { TestProject } from 'vitest/node'
import { findPostgresBin, startPostgres } from './postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** `''` when no PostgreSQL is installed. */
    postgresUrl: string
  }
}

/** One PostgreSQL for the whole run; each test makes databases of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const bin = findPostgresBin()
  if (bin === undefined) {
    project.provide('postgresUrl', '')
    return () => Promise.resolve()
  }
  const server = await startPostgres(bin)
  project.provide('postgresUrl', server.url)
  return () => server.stop()
}
