import { boolean, text } from '../codecs.ts'
import { stringList } from '../codecs-lists.ts'
import { type Codec, ValueMismatch } from '../codec.ts'
import { defineOptions } from '../option.ts'

const folder: Codec<string> = {
  ...text,
  describe: 'folder',
  decode(value, context) {
    const path = text.decode(value, context)
    if (path === '') throw new ValueMismatch('must name a folder.')
    return path
  },
}

/** What JupyterHub has no word for. */
export const orreryOptions = defineOptions({
  data_dir: {
    type: folder,
    default: 'orrery-data',
    summary: 'Folder for everything that is stored and not placed elsewhere.',
  },
  edge_args: {
    type: stringList,
    default: [],
    summary:
      "Further flags of the edge that the hub starts, such as ['--redirect-port=80', '--hsts=31536000']; see `orrery edge --help`.",
  },
  queue_spawns: {
    type: boolean,
    default: true,
    summary:
      'Starts beyond concurrent_spawn_limit wait in line; false refuses them with 429, as JupyterHub does.',
  },
})
