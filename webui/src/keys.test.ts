import { describe, expect, it } from 'vitest'
import { actionOf } from './keys'

function press(key: string, html = '<p></p>', init: KeyboardEventInit = {}) {
  document.body.innerHTML = html
  const event = new KeyboardEvent('keydown', { key, bubbles: true, ...init })
  let found: ReturnType<typeof actionOf> = null
  const target = document.body.firstElementChild
  target?.addEventListener('keydown', (e) => (found = actionOf(e as KeyboardEvent)))
  target?.dispatchEvent(event)
  return found
}

describe('keys outside fields', () => {
  it('scores with digits, ten with 0', () => {
    expect(press('1')).toEqual({ score: 1 })
    expect(press('9')).toEqual({ score: 9 })
    expect(press('0')).toEqual({ score: 10 })
  })

  it('knows letters in both cases', () => {
    expect(press('j')).toBe('rewind')
    expect(press('L')).toBe('faster')
    expect(press('ArrowDown')).toBe('down')
    expect(press('z')).toBeNull()
  })

  it('leaves keys to the field they are typed into', () => {
    for (const field of [
      '<input>',
      '<textarea></textarea>',
      '<div role="dialog"></div>',
      '<div class="el-slider"></div>',
    ]) {
      expect(press('d', field), field).toBeNull()
    }
  })

  it('lets Enter and Space press a focused button, but arrows still move', () => {
    expect(press('Enter', '<button></button>')).toBeNull()
    expect(press(' ', '<button></button>')).toBeNull()
    expect(press('ArrowUp', '<button></button>')).toBe('up')
    expect(press('Enter', '<li></li>')).toBe('play')
  })

  it('leaves the browser its own shortcuts', () => {
    expect(press('d', '<p></p>', { ctrlKey: true })).toBeNull()
    expect(press('t', '<p></p>', { metaKey: true })).toBeNull()
  })
})
