// A problem's code and parameters as one sentence in the reader's language.
import { ApiProblem } from './api'
import { i18n } from './i18n'

/** Any thrown thing as a problem: what is not the box's answer is a fault of the page itself. */
export function asProblem(error: unknown): ApiProblem {
  return error instanceof ApiProblem ? error : new ApiProblem(0, 'page', { text: String(error) })
}

/** The sentence for a code that stands alone, as in the results of an action on many recordings. */
export function codeText(code: string, params: Record<string, unknown> = {}): string {
  const { t, te } = i18n.global
  if (!te(`problem.${code}`)) return t('problem.other', { code })
  const words: Record<string, unknown> = { ...params }
  const field = typeof params['field'] === 'string' ? params['field'] : ''
  words['field'] = te(`setting.${field}`)
    ? t(`setting.${field}`)
    : te(`field.${field}`)
      ? t(`field.${field}`)
      : field
  if (typeof params['right'] === 'string') words['right'] = t(`right.${params['right']}`)
  return t(`problem.${code}`, words)
}

export function problemText(error: unknown): string {
  const problem = asProblem(error)
  return codeText(problem.code, problem.params)
}
