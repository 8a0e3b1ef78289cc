// A box that does not answer, a session that is over, an account that may do little: pages say so and go on.
import { change, collectComplaints, enterFirst, expect, test } from './station'

test('a box that falls silent is seen at once, and so is its return', async ({ page, station }) => {
  await page.goto('/live')
  await expect(page.locator('[data-port]')).toHaveCount(16)
  const notice = page.getByText('与录音设备的连接已断开')
  station.freeze()
  try {
    await expect(notice, 'within the time that a glance takes').toBeVisible({ timeout: 8000 })
    await expect(page.getByText(/当前显示的是 \d\d:\d\d:\d\d 的状态/)).toBeVisible()
    await expect(page.locator('main'), 'old states look old').toHaveClass(/old/)
  } finally {
    station.thaw()
  }
  await expect(notice).toBeHidden({ timeout: 20_000 })
  await expect(page.locator('main')).not.toHaveClass(/old/)
})

test('who may only see live state sees that alone, until the session is over', async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto('/about')
  const first = 'a first for the night'
  const account = { name: 'watcher', display_name: '', rights: ['live'], disabled: false, password: first }
  await change(page, 'POST', '/accounts', account)

  const other = await browser.newPage({ baseURL, storageState: { cookies: [], origins: [] } })
  const complaints = collectComplaints(other)
  await other.goto('/recordings')
  await enterFirst(other, 'watcher', first)
  await expect(other, 'no recordings').toHaveURL(/\/live$/)
  const menu = other.getByRole('navigation', { name: '主菜单' })
  await expect(menu.getByRole('link')).toHaveText(['实时', '告警', '客户资料', '系统信息'])
  await other.locator('[data-port="1"]').click()
  const panel = other.getByRole('complementary')
  await expect(panel).toContainText('线路号码')
  await expect(panel.getByRole('button', { name: /监听|录音|校准/ })).toHaveCount(0)
  await expect(panel.getByText('最近通话')).toHaveCount(0)
  await menu.getByRole('link', { name: '告警' }).click()
  await other.getByText('历史告警').click()
  await expect(other).toHaveURL(/state=history/)
  await expect(other.getByRole('button', { name: '确认', exact: true })).toHaveCount(0)

  // Nothing is clicked: who may not look any more is told at once.
  await change(page, 'PATCH', '/accounts/watcher', { disabled: true })
  await expect(other).toHaveURL(/\/login\?.*ended=1/)
  await expect(other.getByText('会话已结束')).toBeVisible()
  expect(complaints).toEqual([])
  await other.close()
  await change(page, 'DELETE', '/accounts/watcher', {})
})
