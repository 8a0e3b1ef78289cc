import { createApp, h } from 'vue'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PortState } from '@/api'
import { i18n, setLanguage } from '@/i18n'
import StateMark from './StateMark.vue'

const STATES: PortState[] = ['idle', 'ringing', 'off_hook', 'recording', 'line_lost', 'disabled', 'unused']

function shown(state: PortState, props: { word?: boolean; silent?: boolean } = {}): HTMLElement {
  const box = document.createElement('div')
  createApp({ render: () => h(StateMark, { state, ...props }) })
    .use(i18n)
    .mount(box)
  return box
}

describe('the mark of a state', () => {
  beforeEach(() => setLanguage('zh-CN'))

  it('has a shape of its own for each state, so that colour is never alone', () => {
    const shapes = STATES.map((state) => shown(state).querySelector('svg')?.innerHTML)
    expect(new Set(shapes).size).toBe(STATES.length)
  })

  it('says its word, to eyes or to a reader', () => {
    expect(shown('line_lost', { word: true }).textContent).toBe('断线')
    expect(shown('line_lost').querySelector('.visually-hidden')?.textContent).toBe('断线')
    expect(shown('line_lost', { silent: true }).textContent).toBe('')
  })
})
