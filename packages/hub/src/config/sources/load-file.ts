import { extname } from 'node:path'
import type { Assignment } from '../assignment.ts'
import { loadJson, loadYaml } from './data-file.ts'
import { loadPython } from './python.ts'
import { loadScript } from './script.ts'

/** Reads one configuration file, by its extension. */
export function loadFile(file: string, cwd: string): Promise<readonly Assignment[]> {
  switch (extname(file)) {
    case '.py':
      return loadPython(file, cwd)
    case '.json':
      return loadJson(file)
    case '.yaml':
    case '.yml':
      return loadYaml(file)
    default:
      return loadScript(file)
  }
}
