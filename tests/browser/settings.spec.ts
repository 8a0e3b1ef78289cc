// Channel settings: in place, many at once, undone, refused, calibrated; and the audit trail tells who did it.
import { readFile } from 'node:fs/promises'
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

test('contacts are kept, found and shown beside their port', async ({ page }) => {
  await page.goto('/contacts')
  await page.getByRole('button', { name: '新建客户资料' }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.locator('[name=number]').fill('8008')
  await dialog.locator('[name=name]').fill('接警台')
  await dialog.locator('[name=position]').fill('值班')
  await dialog.locator('[name=email]').fill('nowhere')
  await dialog.getByRole('combobox', { name: '录音端口' }).click()
  await page.getByRole('option').nth(1).click()
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(dialog.getByRole('alert')).toContainText('邮箱')
  await dialog.locator('[name=email]').fill('desk@duty.example')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(dialog).toBeHidden()
  const row = page.locator('tr[data-contact="8008"]')
  await expect(row).toContainText('接警台')
  await expect(row).toContainText('desk@duty.example')
  await page.getByRole('button', { name: '新建客户资料' }).click()
  await dialog.locator('[name=number]').fill('8008')
  await dialog.locator('[name=name]').fill('另一个')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(dialog.getByRole('alert')).toHaveText('已有该号码的客户资料。')
  await dialog.getByRole('button', { name: '取消' }).click()

  await page.getByRole('button', { name: '更多条件' }).click()
  await page.getByRole('textbox', { name: '职务', exact: true }).fill('没有')
  await expect(page.getByText('没有符合的客户资料')).toBeVisible()
  await page.getByRole('textbox', { name: '职务', exact: true }).fill('值')
  await expect(row).toBeVisible()
  await page.goto('/live')
  await expect(page.locator('[data-port="2"]')).toContainText('接警台')
})

test('contacts come from a file, all or none, and go into one', async ({ page }) => {
  await page.goto('/contacts')
  await page.getByRole('button', { name: '导入' }).first().click()
  const dialog = page.getByRole('dialog')
  const choose = (text: string) =>
    dialog
      .locator('[name=contacts]')
      .setInputFiles({ name: 'contacts.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
  await choose('号码,姓名,邮箱\r\n8021,李警官,li@duty.example\r\n8022,赵警官,nowhere\r\n')
  await expect(dialog.getByRole('status')).toHaveText('1 行不正确，未导入任何内容：请修改文件后重新选择。')
  const first = dialog.locator('tbody tr').first()
  await expect(first, 'what is wrong is seen first').toHaveText(
    /3\s*8022 赵警官\s*邮箱应类似 name@example.org。/,
  )
  await expect(dialog.getByRole('button', { name: /^导入/ })).toBeDisabled()

  await choose('号码,姓名,邮箱\r\n8021,李警官,li@duty.example\r\n8022,赵警官,\r\n')
  await expect(dialog.getByRole('status')).toHaveText('可导入：新增 2 人，更改 0 人，不变 0 人。')
  await dialog.getByRole('button', { name: '导入 2 人' }).click()
  await expect(dialog.getByRole('status')).toHaveText('已导入：新增 2 人，更改 0 人，不变 0 人。')
  await dialog.getByRole('button', { name: '关闭' }).last().click()
  await expect(page.locator('tr[data-contact="8022"]')).toContainText('赵警官')

  await page.getByRole('button', { name: '导出' }).click()
  const download = page.waitForEvent('download')
  await page.getByRole('menuitem', { name: 'CSV 文件' }).click()
  const file = await download
  expect(file.suggestedFilename()).toMatch(/^contacts-\d{4}-\d\d-\d\d\.csv$/)
  const text = await readFile(await file.path(), 'utf8')
  expect(text.split('\r\n')[0]).toBe('\ufeff录音端口,号码,姓名,部门,内部分机,联系号码,职务,邮箱,备注')
  expect(text).toContain(',8021,李警官,,,,,li@duty.example,')

  await page.goto('/audit?text=8022')
  await expect(page.locator('tr[data-operation="create"]').first()).toContainText('赵警官')
  await page.goto('/audit')
  await expect(page.locator('tr[data-operation="import"]').first()).toContainText('导入')
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
