import fc from 'fast-check'
import { expect, test } from 'vitest'
import { html, trustedHtml } from './html.ts'

test('escapes values, keeps markup, drops nothings', () => {
  const name = `<b a="1" c='2'>&`
  expect(html`<p title="${name}">${[html`<i>${1}</i>`, false, null]}</p>`.toString()).toBe(
    '<p title="&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;"><i>1</i></p>',
  )
  expect(html`${trustedHtml('<hr>')}`.toString()).toBe('<hr>')
})

test('no text can open a tag or close an attribute', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(html`${text}`.toString()).not.toMatch(/[<>"']/)
    }),
  )
})
