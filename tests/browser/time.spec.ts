// The clock on its page: servers are named and show what they count for, what cannot be is said where it stands, and a
// system that does not let its clock be touched is told.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAppliance, startTimeServer } from './appliance'
import { accessibilityFaults, rawKeys } from './checks'
import { expect, LANGUAGES, openSession, speak, startStation, test as base } from './station'

/** A station whose appliance process is there. */
const test = base.extend({
  station: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const folder = await mkdtemp(join(tmpdir(), 'hookline-appliance-'))
      const socket = join(folder, 'appliance.sock')
      const appliance = await startAppliance(socket, join(folder, 'kept'))
      const station = await startStation('--appliance', socket)
      await use(station)
      await station.stop()
      await appliance.stop()
      await rm(folder, { recursive: true, force: true })
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  session: [async ({ station }, use) => use(await openSession(station)), { scope: 'worker' }],
})

test.use({ own: 'time' })

test('time servers are named on the page, a liar is shown, and the system that refuses is told', async ({
  page,
}) => {
  const servers = await Promise.all([startTimeServer(), startTimeServer(), startTimeServer(3_600_000)])
  await speak(page, 'en')
  await page.goto('/time')
  await expect(page.getByRole('heading', { name: 'Time', exact: true })).toBeVisible()
  await expect(page.getByText('Set by hand')).toBeVisible()

  // By the keyboard alone; the switch without a server is refused where it stands.
  await page.getByRole('switch', { name: 'Follow time servers' }).focus()
  await page.keyboard.press('Space')
  await page.getByRole('button', { name: 'Save' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert').filter({ hasText: 'Name at least one' })).toBeVisible()

  await page.getByLabel('Time server 1').fill('no server')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert').filter({ hasText: 'ntp.example.cn' })).toBeVisible()
  await expect(page.getByLabel('Time server 1')).toBeFocused()

  for (const [line, { name }] of servers.entries())
    await page.getByLabel(`Time server ${line + 1}`).fill(name)
  await page.keyboard.press('Enter')
  await expect(page.getByText('Saved', { exact: true })).toBeVisible()
  await expect(page.getByLabel('Time server 4')).toHaveValue('')

  const row = (line: number) => page.locator('tbody tr').nth(line)
  await expect(row(2).getByText('Wrong: the others are more')).toBeVisible({ timeout: 30_000 })
  await expect(row(2).getByText('+1:00:00')).toBeVisible()
  await expect(page.locator('tbody').getByText('Followed', { exact: true })).toHaveCount(1)
  await expect(page.locator('tbody').getByText('Agrees', { exact: true })).toHaveCount(1)

  // This process has no right to the clock: that is said, with what the system said.
  await expect(page.getByText('The system does not let the clock be kept as it is set:')).toBeVisible()
  await expect(page.getByText(/the clock cannot be set/)).toBeVisible()

  for (const language of LANGUAGES) {
    await speak(page, language)
    await page.goto('/time')
    await expect(page.locator('tbody tr')).toHaveCount(4)
    expect(await rawKeys(page), language).toEqual([])
    expect(await accessibilityFaults(page), language).toEqual([])
  }
  await Promise.all(servers.map((server) => server.stop()))
})

test('setting the clock by hand asks first, and says why it was not done', async ({ page, complaints }) => {
  await speak(page, 'en')
  await page.goto('/time')
  const set = page.getByRole('button', { name: 'Set clock' })
  await page.getByLabel('New time').fill('2026-11-23')
  await expect(set).toBeDisabled()
  await page.getByLabel('New time').fill('2026-11-23 08:00:00')
  await set.click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText('2026-11-23 08:00:00')).toBeVisible()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await expect(dialog).toBeHidden()

  await set.click()
  await page.getByRole('dialog').getByRole('button', { name: 'Set clock' }).click()
  await expect(page.getByText('The system does not let the clock be set.')).toBeVisible()
  await page.goto('/audit')
  await expect(page.locator('tbody tr').filter({ hasText: 'Clock' }).first()).toBeVisible()
  // The refusal itself is an answer of the box, which the browser notes.
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !one.includes('status of 500')))
})
