import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainFailure, lastLines } from './failure.mjs'
import { explainNoPython } from './python-env.mjs'

const outputs = [
  ['npm error code ENOTFOUND', /cannot be reached/],
  ['npm error code EAI_AGAIN', /cannot be reached/],
  ['Failed to establish a new connection: [Errno 111] Connection refused', /cannot be reached/],
  ['connect ECONNREFUSED 127.0.0.1:1\nnpm error code ENOSPC', /disk is full/],
  ['OSError: [Errno 28] No space left on device', /disk is full/],
  ['npm error code EUSAGE', /do not belong together/],
  ['npm error code E403', /refused access/],
  ['ERROR: No matching distribution found for x==1', /does not have a version/],
  ['[Errno 13] Permission denied: /x', /cannot be written/],
  ['[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed', /not trusted/],
  ['ERROR: Could not find a version (from versions: none)', /reached, or does not have/],
  ['a surprise', /the tool failed/],
]

for (const [output = '', message] of outputs) {
  void test(`a tool that prints ${JSON.stringify(output)} is explained`, () => {
    const error = explainFailure('npm packages', String(output))
    assert.match(error.message, message)
    assert.equal(error.output, output)
    assert.notEqual(error.remedy, '')
  })
}

void test('a refused connection is named before the missing version that pip reports after it', () => {
  const output =
    'NewConnectionError: Connection refused\nERROR: No matching distribution found for x'
  assert.match(explainFailure('Python packages', output).message, /cannot be reached/)
})

void test('without any Python the way to install one is named', () => {
  assert.match(explainNoPython([]).message, /^no Python was found/)
  assert.match(explainNoPython([]).remedy, /apt-get install python3 python3-venv/)
})

void test('a Python that is too old is named with its version', () => {
  const old = { path: '/usr/bin/python3', version: '3.9', isNewEnough: false, hasVenv: true }
  assert.match(explainNoPython([old]).message, /only Python 3\.9 \(\/usr\/bin\/python3\)/)
})

void test('a Python without venv names the Debian package of its version', () => {
  const bare = { path: '/usr/bin/python3', version: '3.11', isNewEnough: true, hasVenv: false }
  assert.match(explainNoPython([bare]).remedy, /apt-get install python3\.11-venv/)
})

void test('the last lines of an output are kept', () => {
  assert.equal(lastLines('a\nb\nc\n', 2), 'b\nc')
})
