import { describe, expect, it } from 'vitest'
import { csvText } from './csv-file'

const bytes = (...values: number[]) => new Uint8Array(values).buffer

describe('csvText', () => {
  it('reads UTF-8, with a byte order mark or without', () => {
    const text = 'number,name\n8001,王警官'
    expect(csvText(new TextEncoder().encode(text).buffer as ArrayBuffer, 'en')).toBe(text)
    expect(csvText(new TextEncoder().encode(`\ufeff${text}`).buffer as ArrayBuffer, 'en')).toBe(text)
  })

  it('reads what spreadsheets of Chinese Windows save', () => {
    expect(csvText(bytes(0xd0, 0xd5, 0xc3, 0xfb), 'zh-CN')).toBe('姓名')
    expect(csvText(bytes(0xd0, 0xd5, 0xc3, 0xfb), 'en')).toBe('姓名')
    expect(csvText(bytes(0xa9, 0x6d, 0xa6, 0x57), 'zh-TW')).toBe('姓名')
  })
})
