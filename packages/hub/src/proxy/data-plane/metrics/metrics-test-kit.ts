/** Samples of Prometheus' text form: value by name with labels. */
export function readSamples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** Type by name. */
export function readTypes(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  )
}

export async function scrape(port: number | undefined): Promise<Map<string, number>> {
  return readSamples(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
}
