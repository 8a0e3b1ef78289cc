// One call from its first ring to the archive: seen live, found, heard, judged, taken away, deleted.
import { readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { expect, test } from './station'

// The demo's first whole call: port 4, incoming, from second 9.6 to 25.5 of each round.
const PORT = 4
const PEER = '12755505751'

test.use({ own: 'call' })
test.describe.configure({ mode: 'serial' })

async function saved(page: Page, act: () => Promise<unknown>): Promise<{ name: string; bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent('download'), act()])
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) }
}

const seconds = (text: string) => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)

test('a call happens on the live page', async ({ page }) => {
  await page.goto('/live')
  await expect(page.locator('[data-port]')).toHaveCount(16)
  const tile = page.locator(`[data-port="${PORT}"]`)
  await expect(tile).toHaveClass(/is-recording/, { timeout: 60_000 })
  await expect(tile).toContainText('录音')
  await expect(tile, 'the caller is known from caller ID').toContainText(PEER)
  await expect(tile).toContainText(/0:00:\d\d/)
  const order = await page
    .locator('[data-port]')
    .evaluateAll((all) => all.map((one) => one.getAttribute('data-port')))
  await expect(tile, 'the call ends').not.toHaveClass(/is-recording/, { timeout: 60_000 })
  expect(
    await page.locator('[data-port]').evaluateAll((all) => all.map((one) => one.getAttribute('data-port'))),
    'nothing moved',
  ).toEqual(order)

  await tile.click()
  const panel = page.getByRole('complementary', { name: new RegExp(`端口 ${PORT}`) })
  await expect(panel.getByText(PEER), 'instant recall').toBeVisible()
  await panel.getByRole('button', { name: /^播放/ }).first().click()
  await expect(page.getByTestId('position')).toHaveText('0:00:02')
})

test('the call is found, heard, scored and tagged', async ({ page }) => {
  await page.goto('/recordings')
  await page.getByRole('textbox', { name: '号码（任一方）' }).fill(PEER.slice(-4))
  await expect(page, 'the filter stands in the address').toHaveURL(new RegExp(`number=${PEER.slice(-4)}`))
  const row = page.locator('tbody tr', { hasText: PEER }).first()
  await expect(row).toContainText('呼入已接')
  await expect(row).toContainText('压控录音')
  await row.click()

  const audio = page.waitForResponse((answer) => answer.url().includes('/audio'))
  await page.keyboard.press('Enter')
  expect([200, 206]).toContain((await audio).status())
  const position = page.getByTestId('position')
  await expect(position).toHaveText('0:00:01')
  await expect(position, 'the audio really advances').toHaveText('0:00:03')
  const drawn = await page.getByTestId('waveform').evaluate((box) => {
    const canvas = box.firstElementChild?.shadowRoot?.querySelector('canvas')
    const pen = canvas?.getContext('2d')
    if (!canvas || !pen) return 0
    return pen
      .getImageData(0, 0, canvas.width, canvas.height)
      .data.filter((_, i) => i % 4 === 3)
      .reduce((a, b) => a + b, 0)
  })
  expect(drawn, 'the waveform is drawn').toBeGreaterThan(0)

  await page.keyboard.press('Space')
  const held = await position.textContent()
  await page.waitForTimeout(700)
  expect(await position.textContent(), 'Space holds it').toBe(held)
  await page.keyboard.press('l')
  await page.keyboard.press('l')
  await expect(page.getByRole('combobox', { name: '倍速' }), 'L plays faster').toHaveValue('1.25')
  await page.keyboard.press('j')
  await expect.poll(async () => seconds((await position.textContent()) ?? '')).toBeLessThanOrEqual(3)
  await page.keyboard.press('k')

  await page.keyboard.press('8')
  await expect(row.locator('td.right').last()).toHaveText('8')
  await page.keyboard.press('t')
  await page.keyboard.type('地址')
  await page.keyboard.press('Enter')
  await expect(row).toContainText('地址')
  await expect(page.getByRole('button', { name: /标签 地址/ }), 'a flag on the waveform').toBeVisible()
  await page.reload()
  await expect(row, 'kept by the box').toContainText('地址')
})

test('the waveform is zoomed, and what is heard stays in sight', async ({ page }) => {
  await page.goto(`/recordings?number=${PEER}&audio=with`)
  await page.locator('tbody tr', { hasText: PEER }).first().click()
  await page.keyboard.press('Enter')
  const position = page.getByRole('slider', { name: '播放位置' })
  await expect(position).toBeVisible()
  await page.keyboard.press('k')
  const view = () =>
    page.getByTestId('stretch').evaluate((inner) => {
      const outer = inner.parentElement as HTMLElement
      return { from: outer.scrollLeft, width: outer.clientWidth, whole: inner.clientWidth }
    })
  const whole = await view()
  expect(whole.whole).toBe(whole.width)
  for (let i = 0; i < 3; i += 1) await page.keyboard.press('+')
  await expect.poll(async () => (await view()).whole / whole.width).toBeGreaterThan(3)

  await position.focus()
  await page.keyboard.press('End')
  await expect
    .poll(async () => {
      const { from, width, whole } = await view()
      return Math.round(whole - width - from)
    }, 'the end comes into sight')
    .toBeLessThanOrEqual(1)
  await page.keyboard.press('Home')
  await expect.poll(async () => (await view()).from, 'and the beginning').toBe(0)

  const box = await page.getByTestId('stretch').locator('..').boundingBox()
  await page.mouse.move((box?.x ?? 0) + 100, (box?.y ?? 0) + 30)
  await page.keyboard.down('Control')
  await page.mouse.wheel(0, 2000)
  await page.keyboard.up('Control')
  await expect.poll(async () => (await view()).whole, 'the wheel shrinks it').toBe(whole.width)
  await page.getByRole('button', { name: '放大波形' }).click()
  await expect.poll(async () => (await view()).whole).toBeGreaterThan(whole.width)
})

test('filters are chips, and an address opens them again', async ({ page }) => {
  await page.goto('/recordings')
  await expect(page.locator('tbody tr').first()).toBeVisible()
  await page.getByRole('button', { name: '更多条件' }).click()
  await page.getByRole('menuitem', { name: '通话类型' }).click()
  await page.getByText('呼入已接', { exact: true }).last().click()
  await expect(page).toHaveURL(/call_type=incoming_answered/)
  const types = page.locator('tbody td:nth-child(5)')
  await expect.poll(async () => new Set(await types.allInnerTexts())).toEqual(new Set(['呼入已接']))
  await page.keyboard.press('Escape')
  await page.reload()
  const chip = page.locator('.chip', { hasText: '呼入已接' })
  await expect(chip).toBeVisible()
  await chip.getByRole('button', { name: /通话类型 ?呼入已接/ }).click()
  await expect(page.getByRole('group', { name: '通话类型' })).toBeVisible()
  await chip.getByRole('button', { name: /去掉条件/ }).click()
  await expect(chip).toBeHidden()
  await expect(page).not.toHaveURL(/call_type/)
})

test('recordings are taken away as WAV, ZIP and lists', async ({ page }) => {
  await page.goto(`/recordings?number=${PEER}&audio=with`)
  await expect(page.locator('tbody tr').first()).toContainText(PEER)
  const wav = await saved(page, () => page.keyboard.press('d'))
  expect(wav.bytes.subarray(0, 4).toString()).toBe('RIFF')
  expect(wav.bytes.subarray(8, 12).toString()).toBe('WAVE')
  // Fifteen seconds of A-law at the least.
  expect(wav.bytes.length).toBeGreaterThan(15 * 8000)
  expect(wav.name).toMatch(/\.wav$/)

  await page.goto('/recordings?audio=with')
  await expect(page.locator('tbody tr').nth(1)).toBeVisible()
  await page.keyboard.press('x')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('x')
  await expect(page.getByText('已选 2 条')).toBeVisible()
  const zip = await saved(page, () => page.getByRole('button', { name: '下载 ZIP' }).click())
  expect(zip.bytes.subarray(0, 4).toString('latin1')).toBe('PK\x03\x04')
  for (const part of ['manifest.csv', 'manifest.json', '.wav'])
    expect(zip.bytes.includes(part), part).toBe(true)

  const ticked = page.locator('tbody tr[aria-selected="true"]')
  await page.getByRole('button', { name: '设置级别' }).click()
  await page.getByRole('menuitem', { name: '重要' }).click()
  await expect(ticked.getByText('重要'), 'many are graded at once').toHaveCount(2)

  await page.getByRole('button', { name: '导出所选' }).click()
  const sheet = await saved(page, () => page.getByRole('menuitem', { name: /xlsx/ }).click())
  expect(sheet.bytes.subarray(0, 4).toString('latin1')).toBe('PK\x03\x04')
  expect(sheet.name).toMatch(/\.xlsx$/)
  await page.goto(`/recordings?number=${PEER}`)
  await page.getByRole('button', { name: '导出列表' }).click()
  const list = await saved(page, () => page.getByRole('menuitem', { name: /CSV/ }).click())
  expect(list.bytes.toString('utf8')).toContain(PEER)
})

test('deleting asks for the count', async ({ page }) => {
  await page.goto('/recordings?audio=with')
  const ids = page.locator('tbody tr[data-id]')
  await expect(ids.first()).toBeVisible()
  const last = await ids.last().getAttribute('data-id')
  await page.keyboard.press('End')
  await page.keyboard.press('x')
  await page.getByRole('button', { name: '删除', exact: true }).click()
  const dialog = page.getByRole('dialog')
  const confirm = dialog.getByRole('button', { name: '删除' })
  await dialog.getByTestId('delete-count').fill('2')
  await expect(confirm).toBeDisabled()
  await dialog.getByTestId('delete-count').fill('1')
  await confirm.click()
  await expect(dialog).toBeHidden()
  await expect(page.locator(`tr[data-id="${last}"]`)).toHaveCount(0)
  await page.goto(`/recordings?deleted=yes&open=${encodeURIComponent(last ?? '')}`)
  await expect(page.getByRole('complementary', { name: '详细信息' })).toContainText('已由 admin')
})
