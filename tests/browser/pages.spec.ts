// Every page in every language: whole words, nothing in the console, nothing that an assistive reader cannot use.
import { accessibilityFaults, cutMenuWords, overhang, rawKeys } from './checks'
import { change, expect, LANGUAGES, shown, speak, test } from './station'

const PAGES = [
  'live',
  'recordings',
  'alarms',
  'reports',
  'channels',
  'platform',
  'accounts',
  'contacts',
  'audit',
  'mail',
  'time',
  'settings',
  'about',
]
for (const language of LANGUAGES) {
  test(`pages in ${language}`, async ({ page }) => {
    await speak(page, language)
    const faults: string[] = []
    for (const name of PAGES) {
      await page.goto(`/${name}`)
      await expect(page.locator('html')).toHaveAttribute('lang', language)
      await shown(page)
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
    await shown(page)
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
  }
  expect(faults).toEqual([])
})

const LONG =
  '市消防救援支队指挥中心接警调度席一号接警台与联动席二号台（备用线路）甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉'

for (const [width, height] of [
  [1024, 768],
  [820, 1180],
] as const) {
  test(`a tablet of ${width} pixels shows every word of the menu, and long names break nothing`, async ({
    page,
  }) => {
    await page.setViewportSize({ width, height })
    await speak(page, 'en')
    await page.goto('/live')
    await change(page, 'PATCH', '/channels', { ports: [1, 2, 3, 4], settings: { name: LONG } })
    await change(page, 'PATCH', '/settings/box', { settings: { name: LONG } })
    for (const name of PAGES) {
      await page.goto(`/${name}`)
      await shown(page)
      expect(await overhang(page), name).toBeLessThanOrEqual(0)
      expect(await cutMenuWords(page), `${name}: words of the menu that are cut`).toEqual([])
      const outside = await page.locator('header.top').evaluate((bar) =>
        [...bar.querySelectorAll('button, strong')].flatMap((one) => {
          const { right, left } = one.getBoundingClientRect()
          return right > innerWidth || left < 0 ? [one.textContent] : []
        }),
      )
      expect(outside, `${name}: outside the top bar`).toEqual([])
    }
    await page.goto('/recordings')
    await shown(page)
    const heights = await page
      .locator('tbody tr[data-id]')
      .evaluateAll((rows) => [...new Set(rows.map((row) => Math.round(row.getBoundingClientRect().height)))])
    expect(heights.length, 'rows of one height, long names or not').toBeLessThanOrEqual(1)
    await change(page, 'PATCH', '/channels', { ports: [1, 2, 3, 4], settings: { name: '' } })
    await change(page, 'PATCH', '/settings/box', { settings: { name: 'Hookline' } })
  })
}
