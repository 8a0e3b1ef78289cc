// The keyboard alone: every stop is visible, the list moves and plays, and nothing traps.
import { expect, test } from './station'

test('every tab stop of the recordings page shows where it is', async ({ page }) => {
  await page.goto('/recordings')
  await expect(page.locator('main table, main [role=status]').first()).toBeVisible()
  const seen = new Set<string>()
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(() => {
      const one = document.activeElement
      if (!one || one === document.body) return null
      const box = one.closest('.el-input__wrapper, .el-select__wrapper, .el-checkbox') ?? one
      const styles = [one, box, one.nextElementSibling ?? one].map((part) => getComputedStyle(part))
      const visible = styles.some(
        ({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none',
      )
      const name = `${one.tagName} ${one.getAttribute('aria-label') ?? one.getAttribute('name') ?? one.textContent?.trim().slice(0, 40)}`
      return { name, visible }
    })
    if (!stop) break
    expect(stop.visible, `focus is seen on ${stop.name}`).toBe(true)
    seen.add(stop.name)
  }
  expect(seen.size, 'the walk goes on').toBeGreaterThan(20)
})

test('the first stop leads past the menu', async ({ page }) => {
  await page.goto('/alarms')
  await expect(page.locator('main table, main [role=status]').first()).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: '跳到内容' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.locator('main')).toBeFocused()
})

test('arrows move, / filters, I opens, Escape closes, ? helps', async ({ page }) => {
  await page.goto('/recordings')
  const rows = page.locator('tbody tr[data-id]')
  // The demo makes its second record after half a minute at the latest.
  await expect(async () => {
    await page.reload()
    await expect(rows.nth(1)).toBeVisible({ timeout: 3000 })
  }).toPass({ timeout: 60_000 })
  await expect(rows.nth(0)).toHaveClass(/current/)
  await page.keyboard.press('ArrowDown')
  await expect(rows.nth(1)).toHaveClass(/current/)
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('x')
  await expect(rows.nth(0)).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('i')
  const facts = page.getByRole('complementary', { name: '详细信息' })
  await expect(facts).toBeVisible()
  await expect(page).toHaveURL(/open=/)
  await page.keyboard.press('Escape')
  await expect(facts).toBeHidden()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: '键盘快捷键' })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  await expect(page.getByRole('textbox', { name: '号码（任一方）' })).toBeFocused()
  await page.keyboard.type('x1')
  await expect(page.getByText('没有符合条件的录音')).toBeVisible()
  await page.getByRole('button', { name: '清除条件' }).first().click()
  await expect(rows.first()).toBeVisible()
})
