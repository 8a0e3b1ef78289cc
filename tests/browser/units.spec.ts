// Capture units on a box without any: one is taken into use, the recorder starts again with it, and says why it gives
// nothing; then it is removed.
import { accessibilityFaults, overhang, rawKeys } from './checks'
import { enterFirst, expect, LANGUAGES, PASSWORD, speak, startEmptyStation, test } from './station'

test.use({ storageState: async ({}, use) => use({ cookies: [], origins: [] }) })

const DEVICE = 'hw:CARD=Nowhere,DEV=0'

test('a unit is set, counts when the recorder has started again, and says why it is not there', async ({
  page,
  complaints,
}) => {
  const fresh = await startEmptyStation()
  try {
    await page.goto(`${fresh.url}/units`)
    await enterFirst(page, 'admin', fresh.firstPassword)
    await expect(page.getByText('本机尚无采集单元')).toBeVisible()
    expect(await accessibilityFaults(page), 'empty').toEqual([])

    await page.getByRole('button', { name: '手动添加' }).click()
    const dialog = page.getByRole('dialog', { name: '启用采集单元' })
    const save = dialog.getByRole('button', { name: '保存' })
    await expect(save, 'a device has to be named').toBeDisabled()
    await dialog.locator('[name=unit-name]').fill('机房声卡')
    await dialog.locator('[name=unit-place]').fill(DEVICE)
    await dialog.getByLabel('线路数').fill('4')
    await dialog.getByLabel('起始端口').fill('11')
    expect(await accessibilityFaults(page), 'dialog').toEqual([])
    await page.keyboard.press('Enter')
    await expect(dialog).toBeHidden()
    const row = page.locator('tbody tr', { hasText: '机房声卡' })
    await expect(row).toContainText('11–14')
    await expect(row).toContainText('下次启动生效')

    await page.getByRole('button', { name: '手动添加' }).click()
    await dialog.getByLabel('起始端口').fill('14')
    await expect(dialog, 'ports of another unit').toContainText('这些端口已属于 机房声卡')
    await dialog.getByRole('button', { name: '取消' }).click()

    await page.getByRole('button', { name: '立即重新启动' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '立即重新启动' }).click()
    await expect(page).toHaveURL(/\/login\?next=/)
    // For a moment nobody answers.
    const ours = complaints.filter((text) => !/WebSocket connection to|net::ERR_/.test(text))
    complaints.splice(0, complaints.length, ...ours)
    await page.fill('[name=name]', 'admin')
    await page.fill('[name=password]', PASSWORD)
    await page.click('[type=submit]')
    await expect(page).toHaveURL(/\/units/)
    await expect(row).toContainText('不在线')
    await expect(row.locator('.fault'), 'why, and what to do').toContainText(/\S{8}/)
    await expect(page.getByRole('button', { name: '立即重新启动' })).toBeHidden()

    await page.goto(`${fresh.url}/channels`)
    await expect(page.locator('tbody tr'), 'its ports are those of the box').toHaveCount(4)
    await page.goto(`${fresh.url}/alarms`)
    await expect(page.locator('tbody tr', { hasText: '采集单元丢失' })).toContainText('机房声卡')

    for (const language of LANGUAGES) {
      await speak(page, language)
      await page.goto(`${fresh.url}/units`)
      await expect(page.locator('tbody tr')).toHaveCount(1)
      expect(await rawKeys(page), language).toEqual([])
      expect(await overhang(page), language).toBe(0)
      expect(await accessibilityFaults(page), language).toEqual([])
    }

    await speak(page, 'zh-CN')
    await page.goto(`${fresh.url}/units`)
    await row.getByRole('button', { name: '移除' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '移除' }).click()
    await expect(page.getByText('本机尚无采集单元')).toBeVisible()
    await page.goto(`${fresh.url}/audit`)
    await expect(page.locator('tr[data-operation="apply"]')).toContainText('采集单元')
  } finally {
    await fresh.stop()
  }
})

test('with a scenario the page says what stands in for the units', async ({ browser, station, session }) => {
  const context = await browser.newContext({ baseURL: station.url, storageState: session })
  const page = await context.newPage()
  await page.goto('/units')
  await expect(page.getByText('本机正用预录的线路信号代替采集单元')).toBeVisible()
  await context.close()
})
