// What a person does on a platform: hears a recording of a station, synchronises, sets channels, switches off, removes.
import { expect, test } from './platform'
import { shown } from './station'

test.use({ own: 'work' })

test('a recording of a station is found by its station and heard', async ({ page, joined }) => {
  await page.goto(`/recordings?station=${joined.serial}`)
  await shown(page)
  const row = page.locator('tbody tr[data-id]').first()
  await expect(row).toContainText('城中派出所')
  await page.getByRole('radio', { name: '历史' }).click()
  await expect(page.getByText('没有符合条件的录音')).toBeVisible()
  await page.getByRole('radio', { name: '当日' }).click()
  await expect(row).toBeVisible()
  await row.dblclick()
  await expect(page.getByRole('region', { name: '播放器' })).toBeVisible()
})

test('ports of a station are live, and one is listened to', async ({ page, joined }) => {
  await page.goto(`/stations/${joined.serial}`)
  await expect(page.locator('tr[data-port]')).toHaveCount(16)
  await page.locator('tr[data-port="2"]').getByRole('button', { name: '监听' }).click()
  await expect(page.locator('[data-received-ms]')).not.toHaveAttribute('data-received-ms', '0')
})

test('a period is synchronised by hand, with its result', async ({ page, joined }) => {
  await page.goto(`/stations/${joined.serial}`)
  await page.getByRole('button', { name: '手动同步' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '立即同步' }).click()
  await expect(page.locator('tr[data-state="done"]')).toBeVisible({ timeout: 30_000 })
})

test('channels of a station are set from the platform', async ({ page, joined }) => {
  await page.goto('/stations')
  await page.locator(`tr[data-serial="${joined.serial}"]`).locator('.el-checkbox').click()
  await page.getByRole('button', { name: '下发通道设置' }).click()
  const drawer = page.getByRole('dialog')
  await drawer.locator('[name=ports]').fill('3, 5-6')
  await drawer.getByLabel('预录').fill('4')
  await drawer.getByRole('button', { name: '下发到 1 台设备' }).click()
  await expect(page.locator('tr[data-state="done"]')).toBeVisible({ timeout: 30_000 })
})

test('a station is switched off after a warning, and on again', async ({ page, joined }) => {
  await page.goto('/stations')
  const row = page.locator(`tr[data-serial="${joined.serial}"]`)
  await row.locator('.el-switch').click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('设备继续录音并保留全部内容')
  await dialog.getByRole('button', { name: '关闭', exact: true }).last().click()
  await expect(row).toContainText('已关闭')
  await row.locator('.el-switch').click()
  await expect(row).toContainText('在线', { timeout: 60_000 })
})

test('the tree of departments is walked with the keyboard', async ({ page, joined }) => {
  expect(joined.serial).not.toBe('')
  await page.goto('/departments')
  const top = page.locator('tr[data-department="市局"]')
  await top.focus()
  await page.keyboard.press('ArrowRight')
  await expect(page.locator('tr[data-department="城中分局"]')).toBeFocused()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await expect(top).toHaveAttribute('aria-expanded', 'false')
  await expect(page.locator('tr[data-department="城中分局"]')).toHaveCount(0)
})

test('everything that a query finds is deleted only when the number is typed', async ({ page, joined }) => {
  await page.goto(`/recordings?station=${joined.serial}&caller=0000000`)
  await expect(page.getByText('没有符合条件的录音')).toBeVisible()
  // The station goes on recording meanwhile: what was counted is deleted, and nothing that came since.
  await page.goto(`/recordings?station=${joined.serial}`)
  await shown(page)
  await page.getByRole('button', { name: '全部查询结果' }).click()
  await page.getByRole('menuitem', { name: '删除全部查询结果' }).click()
  const dialog = page.getByRole('dialog')
  const sum = Number(/共 ([\d,]+) 条/.exec(await dialog.innerText())?.[1]?.replace(',', ''))
  expect(sum).toBeGreaterThan(0)
  const remove = dialog.getByRole('button', { name: '删除', exact: true })
  await page.getByTestId('found-count').fill(String(sum + 1))
  await expect(remove).toBeDisabled()
  await page.getByTestId('found-count').fill(String(sum))
  await remove.click()
  await expect(page.getByRole('dialog').getByText('已完成')).toBeVisible({ timeout: 30_000 })
})

const MANY = 5000

test(`the list of ${MANY} stations is quick`, async ({ page, api, joined }) => {
  const one = await api.get<object>(`/devices/${joined.serial}`)
  const devices = Array.from({ length: MANY }, (_, index) => ({
    ...one,
    serial: `HKLN-${String(index).padStart(14, '0')}`,
    name: `第 ${index} 派出所`,
  }))
  await page.routeWebSocket(/\/api\/v1\/live/, (socket) => {
    socket.send(
      JSON.stringify({
        type: 'all',
        time: new Date().toISOString(),
        devices,
        ports: null,
        alarms: { critical: 0, minor: 0, notice: 0 },
        waiting: 0,
        records: 0,
      }),
    )
  })
  await page.goto('/stations')
  await expect(page.getByText(`${MANY} / 共 ${MANY} 台`)).toBeVisible()
  expect(await page.locator('tr[data-serial]').count(), 'only rows in view exist').toBeLessThan(60)
  const began = Date.now()
  await page.getByPlaceholder('名称、序列号、IP 或备注').fill('第 4999 ')
  await expect(page.locator('tr[data-serial]')).toHaveCount(1)
  expect(Date.now() - began, 'milliseconds until a filter shows').toBeLessThan(2000)
})
