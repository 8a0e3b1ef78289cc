// A report as a CSV file, as spreadsheets of every language open it.
import type { Statistics } from '@/api'
import { CALL_TYPES } from '@/enumerations'
import { duration } from '@/format'

type Row = Statistics['rows'][number]

/** A cell; one that a spreadsheet would take for a formula stays a text. */
function cell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Begins with a mark by which spreadsheets know UTF-8. */
export function csvOf(
  statistics: Statistics,
  label: (row: Row) => string,
  t: (key: string) => string,
): string {
  const line = (name: string, totals: Row['totals']) => [
    name,
    ...CALL_TYPES.map((type) => totals[type].count),
    totals.total.count,
    duration(totals.total.duration_s),
    Math.round(totals.total.duration_s),
  ]
  const rows = [
    [
      t(`reports_by.${statistics.by}`),
      ...CALL_TYPES.map((type) => t(`call_type.${type}`)),
      t('reports.total'),
      t('reports.total_duration'),
      t('reports.total_seconds'),
    ],
    ...statistics.rows.map((row) => line(label(row), row.totals)),
    line(t('reports.total'), statistics.totals),
  ]
  return `\uFEFF${rows.map((one) => one.map(cell).join(',')).join('\r\n')}\r\n`
}
