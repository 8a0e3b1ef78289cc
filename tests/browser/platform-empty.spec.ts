// A platform with nothing in it says why, and what to do; a station that knocks is added after its key was compared.
import { accessibilityFaults } from './checks'
import { dial, expect, test } from './platform'
import { openSession } from './station'

test.use({ own: 'empty' })

test('an empty platform says why its lists are empty', async ({ page }) => {
  const words: Record<string, RegExp> = {
    home: /尚未登记录音设备/,
    stations: /尚未登记录音设备/,
    recordings: /还没有录音/,
    reports: /没有通话/,
    departments: /尚未建立部门/,
    upgrades: /还没有升级包/,
  }
  for (const [name, why] of Object.entries(words)) {
    await page.goto(`/${name}`)
    await expect(page.locator('main').getByText(why).first(), name).toBeVisible()
    expect(await accessibilityFaults(page), name).toEqual([])
  }
})

test('who has no page of a station on a platform is led home', async ({ page }) => {
  await page.goto('/live')
  await expect(page).toHaveURL(/\/home$/)
})

test('a station that knocks is compared and added, then is online', async ({ page, station, platform }) => {
  await page.goto('/home')
  const { serial, fingerprint } = await dial(station, await openSession(station), platform)
  await page.getByRole('button', { name: '查看并添加' }).click({ timeout: 60_000 })
  const waiting = page.getByRole('region', { name: '等待添加' })
  await expect(waiting).toContainText(serial)
  const shown = await waiting.getByRole('group').innerText()
  expect(shown.replace(/\s/g, ''), 'the station and the platform show the same key').toBe(
    fingerprint.replace(/\s/g, ''),
  )
  await waiting.getByRole('button', { name: '添加设备' }).click()
  const dialog = page.getByRole('dialog')
  const add = dialog.getByRole('button', { name: '添加设备' })
  await expect(add, 'not before the key was compared').toBeDisabled()
  await dialog.getByText('已核对，完全一致').click()
  await dialog.locator('[name=name]').fill('城东派出所')
  await add.click()
  const row = page.locator(`tr[data-serial="${serial}"]`)
  await expect(row).toContainText('城东派出所')
  await expect(row).toContainText('在线', { timeout: 60_000 })
  await expect(waiting).toBeHidden()
})
