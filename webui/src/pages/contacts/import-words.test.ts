import { beforeAll, describe, expect, it } from 'vitest'
import type { ContactImportReport } from '@/api'
import { i18n, setLanguage } from '@/i18n'
import { importLines, importReady, importSum } from './import-words'

type Row = ContactImportReport['rows'][number]

const row = (line: number, more: Partial<Row>): Row => ({
  line,
  number: '8001',
  name: '王警官',
  result: 'added',
  code: null,
  params: null,
  title: null,
  ...more,
})

function report(rows: Row[], check = true): ContactImportReport {
  const count = (result: string) => rows.filter((one) => one.result === result).length
  return {
    check,
    applied: !check,
    added: count('added'),
    changed: count('changed'),
    unchanged: count('unchanged'),
    refused: count('refused'),
    rows,
  }
}

const refused = (code: Row['code'], params: Record<string, unknown>) =>
  importLines(report([row(2, { result: 'refused', code, params, title: 'x' })]))[0]?.text

beforeAll(() => setLanguage('en'))

describe('an import of contacts', () => {
  it('says of each line what would be done, and what was', () => {
    const rows = [row(2, {}), row(3, { result: 'changed' }), row(5, { result: 'unchanged', name: '' })]
    expect(importLines(report(rows)).map(({ text }) => text)).toEqual([
      'Will be added',
      'Will be changed',
      'Stays as it is',
    ])
    expect(importLines(report(rows, false)).map(({ text }) => text)).toEqual([
      'Added',
      'Changed',
      'Stays as it is',
    ])
    expect(importLines(report(rows)).map(({ line, what }) => [line, what])).toEqual([
      [2, '8001 王警官'],
      [3, '8001 王警官'],
      [5, '8001'],
    ])
  })

  it('says why a line was refused and what would be right', () => {
    expect(refused('field_invalid', { field: 'email', expected: 'x' })).toContain('name@example.org')
    expect(refused('field_invalid', { field: 'number', reason: 'repeated' })).toContain('more than once')
    expect(refused('not_found', { what: 'department', id: 'East' })).toBe('There is no department East.')
    expect(refused('department_not_yours', {})).toBe(i18n.global.t('problem.department_not_yours'))
  })

  it('is all or nothing', () => {
    const good = report([row(2, {}), row(3, { result: 'unchanged' }), row(4, { result: 'changed' })])
    expect(importReady(good)).toBe(2)
    expect(importSum(good)).toContain('1 to add, 1 to change')
    const bad = report([row(2, {}), row(3, { result: 'refused', code: 'field_missing', params: {} })])
    expect(importReady(bad)).toBe(0)
    expect(importSum(bad)).toContain('lines: 1')
  })
})
