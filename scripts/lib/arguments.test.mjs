import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withDataDir } from './arguments.mjs'

void test('the data folder is added after the arguments', () => {
  assert.deepEqual(withDataDir(['--port', '9000'], '/c/data'), [
    '--port',
    '9000',
    '--data-dir=/c/data',
  ])
})

void test('a data folder among the arguments stands', () => {
  assert.deepEqual(withDataDir(['--data-dir', '/d'], '/c/data'), ['--data-dir', '/d'])
  assert.deepEqual(withDataDir(['--data-dir=/d'], '/c/data'), ['--data-dir=/d'])
})
