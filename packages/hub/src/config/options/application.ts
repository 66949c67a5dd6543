import { boolean, text } from '../codecs.ts'
import { logLevel } from '../codecs-units.ts'
import { defineOptions } from '../option.ts'

/** What every program of the family understands; sections `Application` and `JupyterHub`. */
export const applicationOptions = defineOptions({
  log_level: { type: logLevel, default: 20, summary: 'Least severe messages that are logged.' },
  show_config: {
    type: boolean,
    default: false,
    summary: 'Print the effective configuration and exit.',
  },
  show_config_json: {
    type: boolean,
    default: false,
    summary: 'Print the effective configuration as JSON and exit.',
  },
})

/** Running the program: files it writes and questions it asks. */
export const processOptions = defineOptions({
  config_file: {
    type: text,
    default: 'jupyterhub_config.py',
    summary: 'Configuration file; has a meaning on the command line only.',
  },
  generate_config: {
    type: boolean,
    default: false,
    summary: 'Write a commented configuration file and exit.',
  },
  answer_yes: { type: boolean, default: false, summary: 'Answer yes to every question.' },
  pid_file: {
    type: text,
    default: '',
    summary: 'File that holds the process id while the hub runs; empty for none.',
  },
  confirm_no_ssl: { type: boolean, default: false, summary: 'Has no effect any more.' },
})
