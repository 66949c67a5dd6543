/**
 * Runs one step and prints one line for it: what is done, then how long it took. On a terminal the seconds
 * run along.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @param {{ summary?: (result: T) => string, stream?: NodeJS.WriteStream }} [options] `summary` is the word after the title, by default `done`.
 * @returns {Promise<T>}
 */
export async function step(title, work, options = {}) {
  const stream = options.stream ?? process.stdout
  const startedAt = performance.now()
  stream.write(`  ${title} ...`)
  const ticker = stream.isTTY ? setInterval(() => tick(), 1000) : undefined
  const tick = () =>
    stream.write(`\r  ${title} ... ${formatSeconds(performance.now() - startedAt)}`)
  /** @param {string} word */
  const finish = (word) => {
    clearInterval(ticker)
    const time = formatSeconds(performance.now() - startedAt)
    stream.write(`${stream.isTTY ? `\r  ${title} ...` : ''} ${word} (${time})\n`)
  }
  try {
    const result = await work()
    finish(options.summary?.(result) ?? 'done')
    return result
  } catch (error) {
    finish('FAILED')
    throw error
  }
}

/** @param {number} ms */
export function formatSeconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`
}
