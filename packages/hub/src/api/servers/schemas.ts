import { Type, type Static } from 'typebox'
import { FreeObject, nullable, Timestamp } from '../shared-schemas.ts'

export const PendingModel = Type.Union([
  Type.Literal('spawn'),
  Type.Literal('stop'),
  Type.Literal('check'),
  Type.Literal('rename'),
])

/** Source: JupyterHub 6.0 rest-api.yml, Server; contract rest-api §6.2. */
export const ServerModel = Type.Object(
  {
    name: Type.String({ description: 'Empty for the default server.' }),
    display_name: nullable(Type.String(), 'Text for people; null on rows older than this field.'),
    full_name: Type.String({ description: '`user/server`, unescaped.' }),
    last_activity: nullable(Timestamp),
    started: nullable(Timestamp, 'null while stopped'),
    pending: nullable(PendingModel, 'The transition under way.'),
    ready: Type.Boolean({ description: 'Accepts traffic; nothing is pending.' }),
    stopped: Type.Boolean({ description: 'Neither ready nor pending.' }),
    url: Type.String({ description: 'Path of the server, ending in a slash.' }),
    user_options: nullable(FreeObject, 'Options of the last start.'),
    progress_url: Type.String({ description: 'Path of the progress stream.' }),
    full_url: nullable(Type.String(), 'Absolute URL where one is configured.'),
    full_progress_url: nullable(Type.String(), 'Absolute URL where one is configured.'),
    state: Type.Optional(nullable(FreeObject, 'Needs `admin:server_state`.')),
  },
  { title: 'Server', description: "One of a user's servers, running or not." },
)
export type ServerModel = Static<typeof ServerModel>

/**
 * Body of PUT and POST. Without `display_name` and `user_options` the whole object is the options.
 * Source: contract rest-api §8.4.
 */
export const StartBody = Type.Object(
  {
    display_name: Type.Optional(
      Type.String({ description: 'For a new named server; empty means its name.' }),
    ),
    user_options: Type.Optional(
      nullable(FreeObject, 'Options for the spawner; null means those of the last start.'),
    ),
  },
  {
    title: 'ServerStart',
    description:
      'What to start. An object with neither key is itself the user options (older clients).',
  },
)
export type StartBody = Static<typeof StartBody>

export const EditBody = Type.Object(
  {
    name: Type.Optional(nullable(Type.String(), 'New name of the server; null keeps it.')),
    display_name: Type.Optional(nullable(Type.String(), 'Empty and null change nothing.')),
    user_options: Type.Optional(FreeObject),
  },
  {
    title: 'ServerEdit',
    description: 'At least one change to a stopped server.',
    additionalProperties: false,
    minProperties: 1,
  },
)
export type EditBody = Static<typeof EditBody>

export const StopBody = Type.Object(
  {
    remove: Type.Optional(
      Type.Unknown({ description: 'true also deletes the named server once it has stopped.' }),
    ),
  },
  { title: 'ServerStop', description: 'How to stop.' },
)
export type StopBody = Static<typeof StopBody>

/** Data of the lines of the progress stream. Source: contract rest-api §8.8. */
export const ProgressModel = Type.Object(
  {
    progress: Type.Optional(Type.Number({ description: '0 to 100' })),
    message: Type.String(),
    html_message: Type.Optional(Type.String()),
    ready: Type.Optional(Type.Literal(true)),
    failed: Type.Optional(Type.Literal(true)),
    url: Type.Optional(Type.String()),
  },
  { title: 'ProgressEvent', description: 'The last one has `ready` or `failed`.' },
)

/** One event of the stream. Source: OpenAPI 3.2 §4.14.4, server-sent events. */
export const ProgressFrame = Type.Object({
  data: Type.String({ contentMediaType: 'application/json', contentSchema: ProgressModel }),
})
