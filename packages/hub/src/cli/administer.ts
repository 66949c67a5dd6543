import { runAdmin } from './admin/program.ts'

/** `orrery users …` and the like, with this process's streams. Ctrl-C ends what is under way. */
export async function runAdminister(argv: readonly string[]): Promise<number> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  process.once('SIGINT', abort).once('SIGTERM', abort)
  try {
    const { stdin, stdout, stderr, env } = process
    const { signal } = controller
    return await runAdmin(argv, { stdin, stdout, stderr, env, cwd: process.cwd(), signal })
  } finally {
    process.off('SIGINT', abort).off('SIGTERM', abort)
  }
}
