// An alarm from its raising to its history.
import { collectComplaints, expect, openSession, startStation, test } from './station'

// The port whose line is cut from second 37 to 48.
const CUT = 9

test('a lost line is an alarm now, and history afterwards', async ({ browser }) => {
  // A box of its own: the line is cut in the first minute of the demo only.
  const station = await startStation()
  const page = await browser.newPage({ baseURL: station.url, storageState: await openSession(station) })
  const complaints = collectComplaints(page)
  await page.goto('/live')
  const tile = page.locator(`[data-port="${CUT}"]`)
  await expect(tile).toHaveClass(/is-line_lost/, { timeout: 75_000 })
  await page.getByRole('button', { name: /实时告警.*严重 ?1/ }).click()
  const drawer = page.getByRole('dialog', { name: '实时告警' })
  await expect(drawer).toContainText(`断线：通道[${CUT}]`)
  await expect(drawer, 'and what to do').toContainText('请检查线缆和插头')
  await drawer.locator('li', { hasText: '断线' }).getByRole('button', { name: '确认' }).click()
  await expect(drawer).toContainText('admin 已确认')
  await page.keyboard.press('Escape')
  await expect(tile, 'the line comes back').not.toHaveClass(/is-line_lost/, { timeout: 60_000 })
  await page.goto('/alarms?state=history')
  const row = page.locator('tr[data-code="line_lost"]').first()
  await expect(row).toContainText(`断线：通道[${CUT}]`)
  await expect(row).toContainText('admin')
  expect(complaints).toEqual([])

  await station.stop()
  await expect(page.getByText('与录音设备的连接已断开'), 'a page says when its box is gone').toBeVisible()
  await page.close()
})
