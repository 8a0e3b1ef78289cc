// Channel settings: in place, many at once, undone, refused, calibrated; and the audit trail tells who did it.
import { expect, PASSWORD, test } from './station'

const row = (port: number) => `tr[data-port="${port}"]`

test('a threshold is changed in place, for many at once, and taken back', async ({ page }) => {
  await page.goto('/channels')
  const cell = (port: number) => page.locator(row(port)).getByRole('button', { name: /摘机门限（低于）/ })
  await expect(cell(3)).toHaveText('16')
  await cell(3).click()
  await page.keyboard.type('20.5')
  await page.keyboard.press('Enter')
  await expect(cell(3)).toHaveText('20.5')
  await page.reload()
  await expect(cell(3), 'kept by the box').toHaveText('20.5')

  await page.locator(row(10)).locator('td.tick').click()
  await page.locator(row(12)).locator('td.tick').click()
  await expect(page.getByText('已选 2 个')).toBeVisible()
  await cell(12).click()
  await page.keyboard.type('19')
  await page.keyboard.press('Enter')
  await expect(cell(10)).toHaveText('19')
  await expect(cell(12)).toHaveText('19')
  await expect(cell(11)).toHaveText('16')

  await page.getByRole('button', { name: '撤销上次修改' }).click()
  await expect(cell(10)).toHaveText('16')
  await expect(cell(12)).toHaveText('16')
  await expect(cell(3), 'only the last change').toHaveText('20.5')

  await cell(3).click()
  await page.keyboard.type('500')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert').last()).toContainText(
    '“摘机门限（低于）”的值不正确，应为：0.5 至 150 V',
  )
  await expect(cell(3)).toHaveText('20.5')

  await page.goto('/audit')
  const entry = page.locator('tr[data-operation="change"]', { hasText: '通道' }).first()
  await expect(entry).toContainText('admin')
  await expect(page.locator('tr[data-operation="undo"]').first()).toContainText('撤销')
})

test('all settings of a channel are in its drawer', async ({ page }) => {
  await page.goto('/channels')
  await page
    .locator(row(5))
    .getByRole('button', { name: /全部设置/ })
    .click()
  const drawer = page.getByRole('dialog')
  await drawer.getByLabel('名称').fill('值班台')
  await drawer.getByLabel('最长录音').fill('1800')
  await drawer.getByRole('button', { name: '应用到 1 个端口' }).click()
  await expect(drawer).toBeHidden()
  await expect(page.locator(row(5))).toContainText('值班台')
  await page.goto('/live')
  await expect(page.locator('[data-port="5"]'), 'in effect at once').toContainText('值班台')
})

test('calibration measures the line and proposes thresholds', async ({ page }) => {
  // The demo's port 12 stays on-hook; what is measured as "up" is then refused in words.
  await page.goto('/channels?calibrate=12')
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('校准端口 12')
  await dialog.getByRole('button', { name: '测量' }).click()
  await expect(dialog.locator('li.done')).toContainText('48.0 V', { timeout: 15_000 })
  await dialog.getByRole('button', { name: '测量' }).click()
  await expect(dialog.getByRole('alert')).toContainText('挂机电压须比摘机高至少 3 V', { timeout: 15_000 })
  await dialog.getByRole('button', { name: '取消' }).click()
  await expect(dialog).toBeHidden()
})

test('contacts are kept', async ({ page }) => {
  await page.goto('/contacts')
  await page.getByRole('button', { name: '新建客户资料' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('号码').fill('8008')
  await dialog.getByLabel('姓名').fill('接警台')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(page.locator('tbody tr', { hasText: '8008' })).toContainText('接警台')
  await page.getByRole('button', { name: '新建客户资料' }).click()
  await dialog.getByLabel('号码').fill('8008')
  await dialog.getByLabel('姓名').fill('另一个')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(dialog.getByRole('alert')).toHaveText('已有该号码的客户资料。')
  await dialog.getByRole('button', { name: '取消' }).click()
})

test('an account sees what it may, and nothing else', async ({ page, browser, baseURL }) => {
  await page.goto('/accounts')
  await page.getByRole('button', { name: '新建账号' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('textbox', { name: '账号' }).fill('listener')
  await dialog.locator('[name="first-password"]').fill('a first for now')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(page.locator('tbody tr', { hasText: 'listener' })).toContainText('未修改初始密码')

  const other = await browser.newPage({ baseURL, storageState: { cookies: [], origins: [] } })
  await other.goto('/accounts')
  await other.fill('[name=name]', 'listener')
  await other.fill('[name=password]', 'a first for now')
  await other.click('[type=submit]')
  await other.fill('[name=new]', PASSWORD)
  await other.fill('[name=again]', PASSWORD)
  await other.click('[type=submit]')
  await expect(other, 'not the page of accounts').toHaveURL(/\/live$/)
  const menu = other.getByRole('navigation', { name: '主菜单' })
  await expect(menu.getByRole('link')).toHaveText([
    '实时',
    '录音',
    '告警',
    '统计报表',
    '客户资料',
    '系统信息',
  ])
  await other.locator('[data-port="1"]').click()
  await expect(other.getByRole('button', { name: '监听', exact: true })).toBeVisible()
  await expect(other.getByRole('button', { name: '立即录音' })).toHaveCount(0)
  await other.close()
})
