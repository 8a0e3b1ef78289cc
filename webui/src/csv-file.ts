// CSV files that people choose. Spreadsheets of Chinese Windows save them in the code page of the country, not in UTF-8.
import type { Language } from './api'

/** The text of a file: UTF-8 if it is that, else what spreadsheets write where this language is spoken. */
export function csvText(bytes: ArrayBuffer, language: Language): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder(language === 'zh-TW' ? 'big5' : 'gb18030').decode(bytes)
  }
}
