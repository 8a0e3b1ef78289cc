// What fetching from a station says of itself, in the reader's language.
import type { PullTrouble } from './api'
import { i18n } from './i18n'

/** The platform has a sentence in English for what the pages have no words for. */
export function pullTroubleText({
  code,
  sentence,
}: Pick<PullTrouble, 'sentence'> & { code: string }): string {
  const { t, te } = i18n.global
  return te(`pull_trouble.${code}`) ? t(`pull_trouble.${code}`) : sentence
}
