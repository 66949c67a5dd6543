// `npm run bench`: the hub beside the reference. `npm run bench -- edge`: the edge beside other proxies.
// `npm run bench -- soak`: the edge for long, with all that goes wrong.
import { endWithThisProcess } from './processes.ts'

endWithThisProcess()
const [area = 'hub', ...args] = process.argv.slice(2)
if (area === 'hub') await import('./hub.ts')
else if (area === 'edge') await (await import('./edge.ts')).runEdgeBench(args)
else if (area === 'soak') await (await import('./soak.ts')).runSoak(args)
else {
  process.stderr.write(`There is no bench '${area}'; there are hub, edge and soak.\n`)
  process.exitCode = 1
}
