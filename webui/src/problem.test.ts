import { beforeEach, describe, expect, it } from 'vitest'
import { ApiProblem } from './api'
import { LANGUAGES, setLanguage } from './i18n'
import { codeText, problemText } from './problem'

describe('problems as sentences', () => {
  beforeEach(() => setLanguage('en'))

  it('names the setting and its range in the language of the reader', async () => {
    const problem = new ApiProblem(422, 'setting_invalid', {
      field: 'off_hook_below_volts',
      reason: 'off_hook_below_volts is 500; expected 0.5 to 150 volts',
    })
    expect(problemText(problem)).toContain('“Off-hook below” cannot be that: 0.5 to 150 V')
    await setLanguage('zh-CN')
    expect(problemText(problem)).toContain('“摘机门限（低于）”')
    expect(problemText(problem)).not.toContain('expected')
  })

  it('takes the words of the box where the pages have none', () => {
    expect(codeText('setting_invalid', { field: 'new_one', reason: 'must be odd' })).toContain('must be odd')
  })

  it('prefers the reason to the code', () => {
    expect(codeText('password_refused', { reason: 'too_short' })).toBe('The new password is too short.')
    expect(codeText('password_refused', { reason: 'of_a_newer_release' })).toContain('refused')
  })

  it('has a sentence for what it does not know', async () => {
    for (const { code } of LANGUAGES) {
      await setLanguage(code)
      expect(codeText('of_a_newer_release')).toContain('of_a_newer_release')
      expect(problemText(new TypeError('x is undefined'))).toContain('x is undefined')
    }
  })
})
