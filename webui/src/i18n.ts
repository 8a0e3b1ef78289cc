// Words of the pages. One language is loaded at a time; the choice is kept in the browser and with the account.
import type { Language as ElementWords } from 'element-plus/es/locale'
import { shallowRef } from 'vue'
import { createI18n } from 'vue-i18n'
import type { Language } from './api'

export const LANGUAGES: readonly { code: Language; name: string; short: string }[] = [
  { code: 'zh-CN', name: '简体中文', short: '简' },
  { code: 'zh-TW', name: '繁體中文', short: '繁' },
  { code: 'en', name: 'English', short: 'EN' },
]

const STORED = 'hookline.language'

const WORDS = {
  'zh-CN': () => Promise.all([import('./locales/zh-CN.json'), import('element-plus/es/locale/lang/zh-cn')]),
  'zh-TW': () => Promise.all([import('./locales/zh-TW.json'), import('element-plus/es/locale/lang/zh-tw')]),
  en: () => Promise.all([import('./locales/en.json'), import('element-plus/es/locale/lang/en')]),
} as const

export const i18n = createI18n({ legacy: false, locale: 'zh-CN', fallbackLocale: false, messages: {} })

/** The words inside Element Plus's own components. */
export const elementWords = shallowRef<ElementWords>()

/** The language of now. */
export function language(): Language {
  return i18n.global.locale.value as Language
}

/** What to begin with: the choice kept here, else the browser's Chinese or English, else Simplified Chinese. */
export function firstLanguage(): Language {
  const stored = localStorage.getItem(STORED)
  const known = LANGUAGES.find(({ code }) => code === stored)
  if (known) return known.code
  for (const wish of navigator.languages) {
    if (/^zh-(tw|hk|mo|hant)/i.test(wish)) return 'zh-TW'
    if (/^zh/i.test(wish)) return 'zh-CN'
    if (/^en/i.test(wish)) return 'en'
  }
  return 'zh-CN'
}

export async function setLanguage(code: Language): Promise<void> {
  const [words, element] = await WORDS[code]()
  i18n.global.setLocaleMessage(code, words.default)
  i18n.global.locale.value = code
  elementWords.value = element.default
  document.documentElement.lang = code
  localStorage.setItem(STORED, code)
}
