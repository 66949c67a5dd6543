import type { OwnFile } from './own-files.ts'
import { type EdgeState, mb } from './watched-edge.ts'

/** All edges, and the process with their clients and servers, when nothing goes on. */
export interface Rest {
  readonly edges: ReadonlyMap<string, EdgeState>
  readonly ownFiles: readonly OwnFile[]
}

export interface Finding {
  readonly text: string
  readonly isGood: boolean
}

/** Compiled code and statistics of it go on growing a little for a long while. */
const flatHeapBytes = 3 * 2 ** 20
/** Of the process: allocators keep what threads that ended have used. */
const flatMemoryBytes = 64 * 2 ** 20

/** What an edge has to show after its wear. */
export function judge({
  before,
  after,
  run,
}: {
  readonly before: Rest
  readonly after: Rest
  readonly run: { readonly unexpected: readonly string[]; readonly activity: readonly string[] }
}): Finding[] {
  return [
    {
      text: `${run.unexpected.length} answers that were not expected${listed(run.unexpected)}`,
      isGood: run.unexpected.length === 0,
    },
    {
      text: `activity of routes that is wrong: ${run.activity.length}${listed(run.activity)}`,
      isGood: run.activity.length === 0,
    },
    {
      text:
        `open files of clients and servers: ${before.ownFiles.length}, then ${after.ownFiles.length}` +
        (after.ownFiles.length <= before.ownFiles.length
          ? ''
          : listed(added(before.ownFiles, after.ownFiles))),
      isGood: after.ownFiles.length <= before.ownFiles.length,
    },
    ...[...after.edges.keys()].flatMap((name) => judgeEdge(name, before, after)),
  ]
}

function judgeEdge(name: string, before: Rest, after: Rest): Finding[] {
  const [first, last] = [before.edges.get(name), after.edges.get(name)]
  if (first === undefined || last === undefined) return []
  const limited = (what: string, was: number, is: number, mostBytes: number): Finding => ({
    text: `${name} edge, ${what}: ${mb(was)} MB, then ${mb(is)} MB (${mb(mostBytes)} MB more at most)`,
    isGood: is - was <= mostBytes,
  })
  const eldest = 'heap of its eldest worker'
  return [
    {
      text: `${name} edge, open files: ${first.openFiles}, then ${last.openFiles}`,
      isGood: last.openFiles <= first.openFiles,
    },
    limited(
      'heap of its main thread',
      first.heap.mainHeapBytes,
      last.heap.mainHeapBytes,
      flatHeapBytes,
    ),
    limited(
      eldest,
      first.heap.workerHeapBytes[0] ?? Number.NaN,
      last.heap.workerHeapBytes[0] ?? Number.NaN,
      flatHeapBytes,
    ),
    limited(
      'memory outside of heaps',
      first.heap.externalBytes,
      last.heap.externalBytes,
      flatHeapBytes,
    ),
    limited('resident memory', first.memoryBytes, last.memoryBytes, flatMemoryBytes),
  ]
}

/** What was not there before. */
function added(before: readonly OwnFile[], after: readonly OwnFile[]): string[] {
  const known = new Set(before.map(({ id }) => id))
  return after.filter(({ id }) => !known.has(id)).map(({ what }) => what)
}

function listed(texts: readonly string[]): string {
  const few = [...new Set(texts)].slice(0, 20)
  return few.length === 0 ? '' : `: ${few.join('; ')}`
}
