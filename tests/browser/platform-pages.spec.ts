// Every page of a platform in every language, with a station and its recordings, in the dark, and on a tablet.
import { accessibilityFaults, cutMenuWords, overhang, rawKeys } from './checks'
import { expect, test } from './platform'
import { LANGUAGES, shown, speak } from './station'

test.use({ own: 'pages' })

const PAGES = [
  'home',
  'stations',
  'recordings',
  'alarms',
  'reports?by=station',
  'departments',
  'accounts',
  'contacts',
  'audit',
  'time',
  'upgrades',
  'server',
  'about',
]

for (const language of LANGUAGES) {
  test(`pages of a platform in ${language}`, async ({ page, joined }) => {
    await speak(page, language)
    const faults: string[] = []
    const station = ['ports', 'alarms', 'commands'].map((tab) => `stations/${joined.serial}?tab=${tab}`)
    for (const name of [...PAGES, ...station]) {
      await page.goto(`/${name}`)
      await expect(page.locator('html')).toHaveAttribute('lang', language)
      await shown(page)
      faults.push(...(await rawKeys(page)).map((key) => `${name}: raw key ${key}`))
      faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
}

test('pages of a platform in the dark', async ({ page, joined }) => {
  await page.emulateMedia({ colorScheme: 'dark' })
  const faults: string[] = []
  for (const name of [...PAGES, `stations/${joined.serial}`]) {
    await page.goto(`/${name}`)
    await shown(page)
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
  }
  expect(faults).toEqual([])
})

for (const width of [1280, 1024, 820]) {
  test(`pages of a platform fit ${width} pixels`, async ({ page, joined }) => {
    await page.setViewportSize({ width, height: 800 })
    await speak(page, 'en')
    for (const name of [...PAGES, `stations/${joined.serial}`]) {
      await page.goto(`/${name}`)
      await shown(page)
      expect(await overhang(page), name).toBeLessThanOrEqual(0)
      expect(await cutMenuWords(page), `${name}: words of the menu that are cut`).toEqual([])
    }
  })
}
