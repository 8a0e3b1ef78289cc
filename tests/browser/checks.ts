// What every page must be, in every language: whole words, and nothing that an assistive reader cannot use.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Page } from '@playwright/test'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Axe {
  run: (
    context: Document,
    options: object,
  ) => Promise<{ violations: { id: string; help: string; nodes: { html: string }[] }[] }>
}

export async function accessibilityFaults(page: Page): Promise<string[]> {
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
export async function rawKeys(page: Page): Promise<string[]> {
  const text = await page.evaluate(() => {
    const said = [...document.querySelectorAll('[aria-label], [title], [placeholder]')].flatMap((one) =>
      ['aria-label', 'title', 'placeholder'].map((name) => one.getAttribute(name) ?? ''),
    )
    return [document.body.innerText, ...said].join('\n')
  })
  return (
    text
      .match(/\b[a-z_]{3,}\.[a-z_]+(?:\.[a-z_]+)*\b/g)
      ?.filter((found) => !/\.(json|wav|example|sock)$|\.example\./.test(found)) ?? []
  )
}

/** Words of the menu that are cut. */
export async function cutMenuWords(page: Page): Promise<string[]> {
  return page
    .getByRole('navigation')
    .locator('a')
    .evaluateAll((links) =>
      links.flatMap((link) => {
        const word = link.querySelector('.word') ?? link
        const outside = word.scrollWidth > word.clientWidth || link.scrollWidth > link.clientWidth
        return outside ? [link.textContent?.trim() ?? ''] : []
      }),
    )
}

/** Pixels by which a page is wider than its window. */
export async function overhang(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
}
