// Every page of a platform with ten thousand rows: the first of them come at once, and the last can be reached.
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { accessibilityFaults } from './checks'
import { expect, test as base } from './platform'
import { openSession, shown } from './station'

const fleet = process.env['FLEET'] ?? resolve(import.meta.dirname, '../../target/release/fleet')
const ROWS = 10_000
/** Of a page, from its address to its rows, on a machine that has other work. */
const SHOWN_MS = 4_000

const test = base.extend<object, { filled: undefined }>({
  filled: [
    async ({ platform }, use) => {
      await platform.restart((data) =>
        promisify(execFile)(fleet, ['fill', '--data', data, '--rows', `${ROWS}`]),
      )
      await use(undefined)
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  session: [
    async ({ platform, filled }, use) => use((void filled, await openSession(platform))),
    { scope: 'worker' },
  ],
})

test.use({ own: 'many' })

/** What the page says of how much there is. */
const PAGES: Record<string, string> = {
  home: '全部 10000 台离线设备',
  stations: '10000 / 共 10000 台',
  recordings: '共 10,000 条',
  alarms: '超过 10,000 条',
  'reports?by=station': '10,000 行',
  departments: '第 0 分局',
  accounts: 'duty-499',
  contacts: '共 10,000 条',
  audit: '超过 10,000 条',
  mail: '接收邮箱',
  upgrades: '还没有升级包',
  server: '平台设置',
  about: '共 10000 台',
}

test(`every page with ${ROWS} rows is there at once, and can be used`, async ({ page }) => {
  test.setTimeout(180_000)
  await page.goto('/home')
  await shown(page)
  const faults: string[] = []
  for (const [name, said] of Object.entries(PAGES)) {
    const began = Date.now()
    await page.goto(`/${name}`)
    await shown(page)
    await expect.soft(page.locator('main').getByText(said).first(), name).toBeAttached()
    const took = Date.now() - began
    if (took > SHOWN_MS) faults.push(`${name}: ${took} ms`)
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`))
  }
  expect(faults).toEqual([])
})
