// `npm run bench`: the hub beside the reference. `npm run bench -- edge`: the edge beside other proxies.
const [area = 'hub'] = process.argv.slice(2)
if (area === 'hub') await import('./hub.ts')
else if (area === 'edge') await (await import('./edge.ts')).runEdgeBench()
else {
  process.stderr.write(`There is no bench '${area}'; there are hub and edge.\n`)
  process.exitCode = 1
}
