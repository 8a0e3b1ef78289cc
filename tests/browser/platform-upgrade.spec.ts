// Upgrade bundles on a platform: brought, given to a station, removed; what is none is refused, and so is who may not.
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Browser, Page } from '@playwright/test'
import { accessibilityFaults, overhang, rawKeys } from './checks'
import { expect, test } from './platform'
import { collectComplaints, enterFirst, LANGUAGES, speak, type Station } from './station'

test.use({ own: 'upgrade' })
test.describe.configure({ mode: 'serial' })

const MIB = 2 ** 20
const NAME = 'hookline-0.2.0+rc1'

/** Begins as a bundle does, or does not. */
const content = (begin: string, bytes: number) => Buffer.concat([Buffer.from(begin), randomBytes(bytes)])
const bundle = content('hsqs', 5 * MIB)

const rows = (page: Page) => page.locator('tr[data-release]')
const dialogOf = (page: Page) => page.getByRole('dialog', { name: '上传升级包' })

async function choose(page: Page, name: string, buffer: Buffer): Promise<void> {
  await page.goto('/upgrades')
  await page.getByRole('button', { name: '上传升级包' }).click()
  const file = { name, mimeType: 'application/octet-stream', buffer }
  await dialogOf(page).locator('[name=bundle]').setInputFiles(file)
}

const upload = (page: Page) => dialogOf(page).getByRole('button', { name: '上传', exact: true }).click()

/** Somebody who logs in for the first time, with their own window. */
async function asPerson(
  browser: Browser,
  platform: Station,
  name: string,
  first: string,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ baseURL: platform.url, storageState: undefined })
  const page = await context.newPage()
  const complaints = collectComplaints(page)
  await page.goto('/login')
  await enterFirst(page, name, first)
  await expect(page.getByRole('navigation')).toBeVisible()
  await use(page)
  expect(complaints, `errors and warnings in the console of ${name}`).toEqual([])
  await context.close()
}

test('a bundle is brought under the name of its file, and stands in the list', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto('/upgrades')
  await expect(page.getByText('还没有升级包')).toBeVisible()
  expect(await accessibilityFaults(page), 'empty').toEqual([])
  await choose(page, 'hookline 0.2.0+rc1.raucb', bundle)
  const dialog = dialogOf(page)
  await expect(dialog.locator('[name=name]')).toHaveValue(NAME)
  await dialog.locator('[name=name]').fill('版本')
  await expect(dialog).toContainText('只能使用字母、数字')
  await expect(dialog.getByRole('button', { name: '上传', exact: true })).toBeDisabled()
  await dialog.locator('[name=name]').fill(NAME)
  expect(await accessibilityFaults(page), 'with the dialog').toEqual([])
  await upload(page)
  await expect(dialog).toBeHidden({ timeout: 30_000 })
  await expect(rows(page)).toHaveCount(1)
  await expect(rows(page)).toContainText(NAME)
  await expect(rows(page)).toContainText('5.2 MB')
  await expect(rows(page)).toContainText('admin')
  await expect(page.getByText('已保存 1 个，最多 20 个')).toBeVisible()
})

test('what is no bundle, or is here already, is refused in words', async ({ page }) => {
  for (const bytes of [100, 30 * MIB]) {
    await choose(page, 'archive.zip', content('PK\u0003\u0004', bytes))
    await upload(page)
    await expect(dialogOf(page).getByRole('alert')).toContainText('这不是升级包', { timeout: 30_000 })
  }
  await choose(page, 'again.raucb', bundle)
  await upload(page)
  await expect(dialogOf(page).getByRole('alert')).toContainText(`该升级包已上传过，名称为“${NAME}”`)
  await page.goto('/upgrades')
  await expect(rows(page)).toHaveCount(1)
})

test('a bundle on its way shows how far it is, and is given up after a question', async ({ page }) => {
  const network = await page.context().newCDPSession(page)
  await choose(page, 'slow.raucb', content('hsqs', 20 * MIB))
  await network.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: MIB,
  })
  await upload(page)
  const dialog = dialogOf(page)
  const progress = dialog.getByRole('progressbar', { name: '正在上传' })
  await expect(progress).toContainText(/^[1-9][\d.]* [kM]B \/ 21\.0 MB/, { timeout: 30_000 })
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: '继续上传' }).click()
  await expect(progress).toBeVisible()
  await dialog.getByRole('button', { name: '取消上传' }).click()
  await page.locator('.el-message-box').getByRole('button', { name: '取消上传' }).click()
  await expect(dialog).toBeHidden()
  await page.goto('/upgrades')
  await expect(rows(page), 'nothing is left of it').toHaveCount(1)
})

test('a station is told to upgrade, and answers for itself', async ({ page, joined }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto('/stations')
  await page.locator(`tr[data-serial="${joined.serial}"]`).locator('.el-checkbox').click()
  await page.getByRole('button', { name: '升级…' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText(NAME)
  await expect(dialog).toContainText('当前版本：0.1.0')
  await expect(dialog).toContainText('下次启动后生效')
  await dialog.getByText('安装后立即重新启动').click()
  await expect(dialog).toContainText('启动完成前（约一分钟）不会录音')
  expect(await accessibilityFaults(page)).toEqual([])
  await dialog.getByRole('button', { name: '升级 1 台设备' }).click()
  // It is a program on this computer, and no box that could be written anew.
  const result = page.getByRole('dialog').locator('tr[data-state="failed"]')
  await expect(result).toContainText(`升级 ${NAME} · 安装后重新启动`, { timeout: 30_000 })
  await expect(result).toContainText('该设备不具备此功能')
  await page.goto('/audit')
  const brought = page.locator('tr[data-operation="add_release"]', { hasText: NAME })
  await expect(brought.first()).toContainText('上传升级包')
})

test('bundles are for those who keep the boxes, and brought by those who see all of them', async ({
  browser,
  platform,
  api,
  joined,
}) => {
  expect(joined.serial, 'there are departments').not.toBe('')
  const first = 'first words of all'
  const rights = ['live', 'settings']
  const person = { password: first, department: '市局' }
  await api.send('POST', '/accounts', { ...person, name: 'keeper', rights: [...rights, 'system'] })
  await api.send('POST', '/accounts', { ...person, name: 'clerk', rights })
  await asPerson(browser, platform, 'keeper', first, async (page) => {
    await page.getByRole('link', { name: '升级' }).click()
    await expect(rows(page)).toHaveCount(1)
    await expect(page.getByRole('button', { name: /上传|删除/ })).toHaveCount(0)
  })
  await asPerson(browser, platform, 'clerk', first, async (page) => {
    await expect(page.getByRole('link', { name: '升级' })).toHaveCount(0)
    await page.goto('/upgrades')
    await expect(page).toHaveURL(/\/home$/)
    await page.goto('/stations')
    await page.locator(`tr[data-serial="${joined.serial}"]`).locator('.el-checkbox').click()
    await expect(page.getByRole('button', { name: '下发通道设置' })).toBeVisible()
    await expect(page.getByRole('button', { name: '升级…' })).toHaveCount(0)
  })
})

for (const language of LANGUAGES) {
  test(`the page with a bundle and its dialogs in ${language}`, async ({ page, joined }) => {
    await speak(page, language)
    // Colours are measured, and a dialog that is still fading in has others.
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await page.goto('/upgrades')
    await expect(rows(page)).toHaveCount(1)
    const faults = [...(await rawKeys(page)), ...(await accessibilityFaults(page))]
    await page.locator('.page-head button').click()
    await expect(page.getByRole('dialog')).toBeVisible()
    faults.push(...(await rawKeys(page)), ...(await accessibilityFaults(page)))
    await page.setViewportSize({ width: 820, height: 800 })
    expect(await overhang(page)).toBeLessThanOrEqual(0)
    await page.goto(`/stations/${joined.serial}?tab=commands`)
    await expect(page.locator('tr[data-state="failed"]')).toBeVisible()
    faults.push(...(await rawKeys(page)), ...(await accessibilityFaults(page)))
    expect(faults).toEqual([])
  })
}

test('a bundle is removed after a question', async ({ page }) => {
  await page.goto('/upgrades')
  await rows(page)
    .getByRole('button', { name: `删除 ${NAME}` })
    .click()
  const question = page.getByRole('dialog')
  await expect(question).toContainText(`删除升级包“${NAME}”？`)
  await question.getByRole('button', { name: '取消' }).click()
  await expect(rows(page)).toHaveCount(1)
  await rows(page)
    .getByRole('button', { name: `删除 ${NAME}` })
    .click()
  await question.getByRole('button', { name: '删除', exact: true }).click()
  await expect(page.getByText('还没有升级包')).toBeVisible()
})
