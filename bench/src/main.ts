// `npm run bench`: the hub beside the reference. `npm run bench -- edge`: the edge beside other proxies,
// all rows or those that are named: `npm run bench -- edge P11 P12`.
const [area = 'hub', ...rows] = process.argv.slice(2)
if (area === 'hub') await import('./hub.ts')
else if (area === 'edge') await (await import('./edge.ts')).runEdgeBench(rows)
else if (area === 'soak') await (await import('./soak.ts')).runSoak(rows)
else {
  process.stderr.write(`There is no bench '${area}'; there are hub, edge and soak.\n`)
  process.exitCode = 1
}
