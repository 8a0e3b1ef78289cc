// Listening while it happens, and recording by hand.
import { expect, test } from './station'

// The demo's port without calls.
const QUIET = 12

test('a port is listened to live, with audio arriving at once', async ({ page }) => {
  await page.goto(`/live?port=2`)
  await page.getByRole('button', { name: '监听', exact: true }).click()
  const state = page.getByTestId('listening')
  await expect(state).toBeVisible()
  const received = async () => Number(await state.getAttribute('data-received-ms'))
  await expect
    .poll(received, { timeout: 2000, message: 'first audio within the first seconds' })
    .toBeGreaterThan(0)
  const [before, began] = [await received(), Date.now()]
  await page.waitForTimeout(3000)
  const [gained, passed] = [(await received()) - before, Date.now() - began]
  expect(Math.abs(gained - passed), 'as much audio as time went by').toBeLessThan(600)
  await state.click()
  await expect(state).toBeHidden()
})

test('a recording is started and stopped by hand', async ({ page }) => {
  await page.goto(`/live?port=${QUIET}`)
  const tile = page.locator(`[data-port="${QUIET}"]`)
  await page.getByRole('button', { name: '立即录音' }).click()
  await expect(tile).toHaveClass(/is-recording/)
  await page.waitForTimeout(2500)
  await page.getByRole('button', { name: '停止录音' }).click()
  await expect(tile).not.toHaveClass(/is-recording/)
  await page.getByRole('link', { name: '此端口的全部录音' }).click()
  await expect(page.locator('tbody tr').first()).toContainText('手动录音')
})
