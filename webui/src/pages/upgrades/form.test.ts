import { describe, expect, it } from 'vitest'
import { isReleaseName, proposedName } from './form'

describe('names of upgrade bundles', () => {
  it('are proposed from the name of the file', () => {
    expect(proposedName('hookline-0.2.0+rc1.raucb')).toBe('hookline-0.2.0+rc1')
    expect(proposedName('Hookline 0.2.0 (final).RAUCB')).toBe('Hookline-0.2.0-final')
    expect(proposedName('升级包.raucb')).toBe('')
    expect(proposedName(`${'x'.repeat(80)}.raucb`)).toHaveLength(64)
  })

  it('are of letters, digits and a few signs', () => {
    for (const good of ['0.2.0', 'a_b-c+1', 'x'.repeat(64)]) expect(isReleaseName(good), good).toBe(true)
    for (const bad of ['', 'a b', '版本', 'a/b', 'x'.repeat(65)]) expect(isReleaseName(bad), bad).toBe(false)
    for (const file of ['a b.raucb', '-x-', '...']) expect(isReleaseName(proposedName(file)), file).toBe(true)
  })
})
