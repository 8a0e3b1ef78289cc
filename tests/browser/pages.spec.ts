// Every page in every language: whole words, nothing in the console, nothing that an assistive reader cannot use.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Page } from '@playwright/test'
import { expect, LANGUAGES, speak, test } from './station'

const PAGES = [
  'live',
  'recordings',
  'alarms',
  'reports',
  'channels',
  'accounts',
  'contacts',
  'audit',
  'about',
]
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Axe {
  run: (
    context: Document,
    options: object,
  ) => Promise<{ violations: { id: string; help: string; nodes: { html: string }[] }[] }>
}

async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: Axe }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
    const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } })
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`,
    )
  })
}

/** Words as `recording.start` are keys that have no text. */
async function rawKeys(page: Page): Promise<string[]> {
  const text = await page.evaluate(() => {
    const said = [...document.querySelectorAll('[aria-label], [title], [placeholder]')].flatMap((one) =>
      ['aria-label', 'title', 'placeholder'].map((name) => one.getAttribute(name) ?? ''),
    )
    return [document.body.innerText, ...said].join('\n')
  })
  return (
    text.match(/\b[a-z_]{3,}\.[a-z_]+(?:\.[a-z_]+)*\b/g)?.filter((found) => !/\.(json|wav)$/.test(found)) ??
    []
  )
}

for (const language of LANGUAGES) {
  test(`pages in ${language}`, async ({ page }) => {
    await speak(page, language)
    const faults: string[] = []
    for (const name of PAGES) {
      await page.goto(`/${name}`)
      await expect(page.locator('html')).toHaveAttribute('lang', language)
      await expect(page.locator('main :is(table, dl, .tiles, [role=status])').first()).toBeVisible()
      await expect(page.locator('main .loading')).toHaveCount(0)
      faults.push(...(await rawKeys(page)).map((key) => `${name}: raw key ${key}`))
      faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
}

test('pages in the dark', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' })
  const faults: string[] = []
  for (const name of PAGES) {
    await page.goto(`/${name}`)
    await expect(page.locator('html')).toHaveClass('dark')
    await expect(page.locator('main :is(table, dl, .tiles, [role=status])').first()).toBeVisible()
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
  }
  expect(faults).toEqual([])
})

test('nothing is wider than a tablet', async ({ page }) => {
  await page.setViewportSize({ width: 820, height: 1100 })
  for (const name of PAGES) {
    await page.goto(`/${name}`)
    await expect(page.locator('main :is(table, dl, .tiles, [role=status])').first()).toBeVisible()
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(wider, name).toBeLessThanOrEqual(0)
  }
})
