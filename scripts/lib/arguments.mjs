/**
 * The program's arguments with a data folder, unless they name one.
 * @param {readonly string[]} args
 * @param {string} dataDir
 * @returns {string[]}
 */
export function withDataDir(args, dataDir) {
  const isNamed = args.some((arg) => arg === '--data-dir' || arg.startsWith('--data-dir='))
  return isNamed ? [...args] : [...args, `--data-dir=${dataDir}`]
}
