// A problem's code and parameters as one sentence in the reader's language.
import { ApiProblem } from './api'
import { i18n } from './i18n'

/** Any thrown thing as a problem: what is not the box's answer is a fault of the page itself. */
export function asProblem(error: unknown): ApiProblem {
  return error instanceof ApiProblem ? error : new ApiProblem(0, 'page', { text: String(error) })
}

/** A setting's own name: `numbers` of `grade_rules[1].numbers`. */
export const settingName = (field: string): string => field.replace(/^.*\./, '').replace(/\[\d+\]$/, '')

/** Whether it is a member of how a station is fetched from. */
const pulled = (path: unknown, field: string) =>
  typeof path === 'string' && path.startsWith('pull.') && i18n.global.te(`pull_setting.${field}`)

/** The sentence for a code that stands alone, as in the results of an action on many recordings. */
export function codeText(code: string, params: Record<string, unknown> = {}): string {
  const { t, te } = i18n.global
  if (!te(`problem.${code}`)) return t('problem.other', { code })
  const fault = `network_fault.${String(params['fault'])}`
  if (code === 'network_invalid' && te(fault)) return t(fault)
  const reason = `problem_reason.${code}.${String(params['reason'])}`
  if (te(reason)) return t(reason, params)
  const words: Record<string, unknown> = { ...params }
  const field = typeof params['field'] === 'string' ? settingName(params['field']) : ''
  words['field'] = pulled(params['field'], field)
    ? t(`pull_setting.${field}`)
    : te(`setting.${field}`)
      ? t(`setting.${field}`)
      : te(`field.${field}`)
        ? t(`field.${field}`)
        : field
  // The box says what would be right in English; the pages know it in every language.
  words['expected'] = te(`setting_range.${field}`)
    ? t(`setting_range.${field}`)
    : (params['expected'] ?? params['reason'])
  if (typeof params['right'] === 'string') words['right'] = t(`right.${params['right']}`)
  return t(`problem.${code}`, words)
}

export function problemText(error: unknown): string {
  const problem = asProblem(error)
  return codeText(problem.code, problem.params)
}
