// What an import of contacts did, or would do, in the reader's language.
import type { ContactImportReport } from '@/api'
import type { ImportLine } from '@/components/CsvImport.vue'
import { i18n } from '@/i18n'
import { codeText } from '@/problem'

type Row = ContactImportReport['rows'][number]

function refusalText({ code, params }: Row): string {
  const { t, te } = i18n.global
  const told = params ?? {}
  const field = `contacts_wrong.${String(told['field'])}`
  const absent = `contacts_absent.${String(told['what'])}`
  if (code === 'field_invalid' && told['reason'] === undefined && te(field)) return t(field)
  if (code === 'not_found' && te(absent)) return t(absent, { id: String(told['id']) })
  return codeText(code ?? '', told)
}

export const importLines = (report: ContactImportReport): ImportLine[] =>
  report.rows.map((row) => ({
    line: row.line,
    what: [row.number, row.name].filter((text) => text !== '').join(' '),
    refused: row.result === 'refused',
    text:
      row.result === 'refused'
        ? refusalText(row)
        : i18n.global.t(`contacts_${report.check ? 'would_be' : 'were'}.${row.result}`),
  }))

export function importSum(report: ContactImportReport): string {
  const { t } = i18n.global
  const { added, changed, unchanged, refused } = report
  if (refused > 0) return t('contacts.import_refused', { refused })
  return t(report.check ? 'contacts.import_checked' : 'contacts.import_done', { added, changed, unchanged })
}

/** Lines that would be written; none while one is refused: the file is taken whole. */
export const importReady = (report: ContactImportReport): number =>
  report.refused > 0 ? 0 : report.added + report.changed
