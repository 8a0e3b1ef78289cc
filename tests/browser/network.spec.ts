// The network on its page: refused at the field, tried with a count-down, confirmed, taken back by a person, by the time, and
// by the end of the process that tried it; on a station and on a platform.
import { accessibilityFaults, rawKeys } from './checks'
import { startMachine, type Machine } from './machine'
import { expect, LANGUAGES, openSession, speak, startPlatform, startStation, test as base } from './station'

const TRIED_S = 12

const test = base.extend<object, { machine: Machine }>({
  machine: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const machine = await startMachine(TRIED_S)
      await use(machine)
      await machine.stop()
    },
    { scope: 'worker' },
  ],
  station: [
    async ({ machine }, use) => {
      const station = await startStation('--appliance', machine.socket)
      await use(station)
      await station.stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
})
test.use({ own: 'network' })

test('what cannot be is refused at its field, and what can is tried and confirmed', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await speak(page, 'en')
  await page.goto('/network')
  const row = page.locator('[data-link="eth0"]')
  await expect(row).toContainText('192.168.7.77/24 DHCP')
  await expect(row).toContainText('Ready')
  const apply = page.getByRole('button', { name: 'Apply' })
  await expect(apply, 'nothing to apply yet').toBeDisabled()

  await page.getByRole('button', { name: 'Set eth0' }).click()
  await expect(page.getByLabel('IPv4', { exact: true })).toBeFocused()
  await page.getByLabel('IPv4', { exact: true }).selectOption('static')
  await page.getByLabel('IPv4 address').fill('192.168.1.255/24')
  await page.keyboard.press('Enter')
  await expect(page.getByText('This is the broadcast address of the net')).toBeVisible()
  await expect(page.getByLabel('IPv4 address')).toBeFocused()
  await page.getByLabel('IPv4 address').fill('192.168.1.20/24')
  await page.getByLabel('IPv4 gateway').fill('192.168.2.1')
  await apply.click()
  await expect(page.getByText('The gateway lies outside the net of this interface')).toBeVisible()
  await page.getByLabel('IPv4 gateway').fill('192.168.1.1')
  // Only the box knows that nobody has this address.
  await page.getByLabel('Name servers (DNS)').fill('224.0.0.1')
  await apply.click()
  const alerts = page.locator('fieldset').getByRole('alert')
  await expect(alerts).toHaveText('There is no name server at such an address.')
  await page.getByLabel('Name servers (DNS)').fill('9.9.9.9')
  await apply.click()

  const trial = page.getByRole('region', { name: 'A change is being tried' })
  await expect(trial).toContainText(/Taken back by itself in \d+ s/)
  await expect(trial.getByRole('link')).toHaveAttribute('href', /^https:\/\/192\.168\.1\.20:\d+\/network$/)
  await expect(row).toContainText('192.168.1.20/24 static')
  await expect(page.getByLabel('IPv4 address'), 'one change at a time').toBeDisabled()
  expect(await accessibilityFaults(page)).toEqual([])
  await trial.getByRole('button', { name: 'Confirm: keep it' }).click()
  await expect(trial).toBeHidden()
  await page.reload()
  await expect(page.getByLabel('IPv4 address')).toHaveValue('192.168.1.20/24')
  await expect(page.getByRole('status').filter({ hasText: 'taken back' })).toHaveCount(0)
})

test('a change is taken back by a person, by the time, and by a crash', async ({ page, machine }) => {
  await speak(page, 'en')
  await page.goto('/network')
  const trial = page.getByRole('region', { name: 'A change is being tried' })
  const outcome = page.getByRole('status').filter({ hasText: 'The last change was taken back' })
  const tryOne = async () => {
    await page.getByRole('button', { name: 'Set eth1' }).click()
    await page.getByLabel('IPv4', { exact: true }).last().selectOption('static')
    await page.getByLabel('IPv4 address').last().fill('10.0.0.5/8')
    await page.getByRole('button', { name: 'Apply' }).click()
    await expect(trial).toBeVisible()
    await expect(page.locator('[data-link="eth1"]')).toContainText('10.0.0.5/8')
  }
  await tryOne()
  await trial.getByRole('button', { name: 'Take back now' }).click()
  await expect(outcome).toContainText('somebody took it back')
  await expect(page.locator('[data-link="eth1"]')).toContainText('192.168.7.77/24')

  await tryOne()
  await expect(outcome).toContainText('nobody confirmed it in time', { timeout: (TRIED_S + 5) * 1000 })
  await expect(page.locator('[data-link="eth1"]')).toContainText('192.168.7.77/24')

  await tryOne()
  await machine.kill()
  await machine.startAgain()
  await expect(outcome).toContainText('the box was restarted before it was confirmed')
  await expect(page.locator('[data-link="eth1"]')).toContainText('192.168.7.77/24')

  await page.goto('/audit')
  const written = page.locator('tr[data-operation="rolled_back"]')
  await expect(async () => {
    await page.reload()
    await expect(written).toHaveCount(2, { timeout: 2000 })
  }).toPass()
  await expect(written.first()).toContainText('the box was restarted before it was confirmed')
})

test('a page whose address goes away says where to go, and goes on when it is back', async ({
  page,
  station,
  complaints,
}) => {
  await speak(page, 'en')
  await page.goto('/network')
  await page.getByRole('button', { name: 'Set eth1' }).click()
  await page.getByLabel('IPv4', { exact: true }).last().selectOption('static')
  await page.getByLabel('IPv4 address').last().fill('10.0.0.5/8')
  await page.getByRole('button', { name: 'Apply' }).click()
  const trial = page.getByRole('region', { name: 'A change is being tried' })
  await expect(trial).toBeVisible()
  // As an address that has moved: nothing refuses, nothing answers.
  station.freeze()
  try {
    await expect(trial.getByRole('alert')).toContainText('does not answer at this address any more')
    await expect(trial.getByRole('button', { name: 'Confirm: keep it' })).toBeDisabled()
    await expect(trial.getByRole('link', { name: /10\.0\.0\.5/ })).toBeVisible()
    await expect(trial, 'the count goes on').toContainText('in 0 s', { timeout: (TRIED_S + 3) * 1000 })
  } finally {
    station.thaw()
  }
  await expect(page.getByText('nobody confirmed it in time')).toBeVisible()
  const ours = complaints.filter((text) => !/WebSocket connection to|net::ERR_/.test(text))
  complaints.splice(0, complaints.length, ...ours)
})

test('the page has words and names in every language', async ({ page }) => {
  for (const language of LANGUAGES) {
    await speak(page, language)
    await page.goto('/network')
    await expect(page.locator('[data-link="eth0"]')).toBeVisible()
    expect(await rawKeys(page), language).toEqual([])
    expect(await accessibilityFaults(page), language).toEqual([])
  }
})

test('a platform has the same page', async ({ browser, machine }) => {
  const platform = await startPlatform('--appliance', machine.socket)
  try {
    const storageState = await openSession(platform)
    const page = await browser.newPage({ baseURL: platform.url, storageState })
    await page.goto('/network')
    await expect(page.locator('[data-link="eth1"]')).toContainText('192.168.7.77/24')
    await page.close()
  } finally {
    await platform.stop()
  }
})

base('a box without the privileged half says so', async ({ page }) => {
  await speak(page, 'en')
  await page.goto('/network')
  await expect(page.getByRole('alert')).toContainText('system service does not answer')
})
