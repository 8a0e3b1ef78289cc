// A station that cannot dial out: its security code is made on its page, the platform fetches with it, and what goes wrong
// on the way is said in words, to be put right where it says so.
import type { Browser, Page } from '@playwright/test'
import { accessibilityFaults, overhang, rawKeys } from './checks'
import { apiOf, expect, test, until } from './platform'
import { collectComplaints, type SessionState, type Station } from './station'

test.use({ own: 'pull' })
test.describe.configure({ mode: 'serial' })

const WRONG_CODE = 'not-the-right-security-code'

/** The station's own page about the platform, as its installer has it open; closed by `use`. */
async function onStation(
  browser: Browser,
  station: Station,
  session: SessionState,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({
    baseURL: station.url,
    storageState: session,
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const page = await context.newPage()
  const complaints = collectComplaints(page)
  await page.goto('/platform')
  await use(page)
  expect(complaints, 'errors and warnings in the console of the station').toEqual([])
  await context.close()
}

async function serialOf(station: Station, session: SessionState): Promise<string> {
  const api = await apiOf(station, session)
  const { serial } = await api.get<{ serial: string }>('/box')
  await api.dispose()
  return serial
}

/** On the station's page: its security code; on the platform's page of the station: how fetching goes. */
const section = (page: Page) => page.getByRole('region', { name: '平台主动获取' })

test('a station is fetched from, and its recordings are heard', async ({
  page,
  browser,
  api,
  station,
  stationSession,
}) => {
  const serial = await serialOf(station, stationSession)
  let made = ''
  await onStation(browser, station, stationSession, async (own) => {
    await expect(section(own)).toContainText('任何平台都不能获取')
    await section(own).getByRole('button', { name: '生成安全码' }).click()
    made = await own.getByTestId('token').innerText()
    expect(made).toHaveLength(64)
    await section(own).getByRole('button', { name: '复制' }).click()
    await expect(section(own).getByText('已复制')).toBeVisible()
    expect(await own.evaluate(() => navigator.clipboard.readText())).toBe(made)
    await expect(section(own)).toContainText('本次启动后未使用')
    expect([...(await accessibilityFaults(own)), ...(await rawKeys(own))]).toEqual([])
    await own.reload()
    await expect(section(own)).toContainText('生成于')
    await expect(own.getByTestId('token'), 'shown once').toHaveCount(0)
  })

  // Added as one that is fetched from, with a wrong code at first.
  await page.goto('/stations')
  await page.getByRole('button', { name: '添加设备' }).first().click()
  const dialog = page.getByRole('dialog')
  const add = dialog.getByRole('button', { name: '添加设备' })
  await dialog.locator('[name=serial]').fill(serial)
  await dialog.locator('[name=name]').fill('山区派出所')
  await dialog.getByRole('radio', { name: '平台主动获取' }).click()
  await expect(add, 'nowhere to fetch from yet').toBeDisabled()
  await dialog.locator('[name=pull-address]').fill('https://192.0.2.7')
  await expect(dialog.getByRole('alert')).toContainText('地址不正确')
  await dialog.locator('[name=pull-address]').fill(new URL(station.url).host)
  await dialog.locator('[name=pull-token]').fill(WRONG_CODE)
  await dialog.locator('[name=pull-every]').fill('11')
  await expect(add).toBeDisabled()
  await dialog.locator('[name=pull-every]').fill('6')
  expect([...(await accessibilityFaults(page)), ...(await rawKeys(page))]).toEqual([])
  await add.click()
  const row = page.locator(`tr[data-serial="${serial}"]`)
  await expect(row).toContainText('获取失败', { timeout: 30_000 })
  await expect(row).toContainText('定时获取')
  await expect(row.getByRole('img', { name: '平台主动获取' })).toBeVisible()

  await row.getByRole('link', { name: '山区派出所' }).click()
  await expect(section(page).getByRole('alert')).toContainText('设备不接受该安全码')
  expect([...(await accessibilityFaults(page)), ...(await rawKeys(page))]).toEqual([])
  expect(await overhang(page)).toBeLessThanOrEqual(0)

  // The right one, with the keyboard alone; then the station wants to know this platform.
  await section(page).getByRole('button', { name: '修改' }).focus()
  await page.keyboard.press('Enter')
  await expect(dialog.locator('[name=pull-every]')).toHaveValue('6')
  await dialog.locator('[name=pull-token]').focus()
  await page.keyboard.type(made)
  await page.keyboard.press('Enter')
  await expect(dialog).toBeHidden()
  await expect(section(page).getByRole('alert')).toContainText('设备尚未接受本平台的密钥', {
    timeout: 30_000,
  })
  await onStation(browser, station, stationSession, async (own) => {
    await own.getByRole('button', { name: '完全一致，接受' }).click()
    await expect(own.getByText('已保存').first()).toBeVisible()
  })

  const fetchNow = section(page).getByRole('button', { name: '立即获取' })
  await fetchNow.click()
  await expect(page.getByTestId('pull-success')).toHaveText(/^\d{4}-/, { timeout: 60_000 })
  await expect(section(page).getByRole('alert')).toHaveCount(0)
  await expect(section(page).getByRole('status')).toHaveText('等待下次获取', { timeout: 30_000 })
  await page.goto('/stations')
  await expect(row).toContainText('每 6 小时')
  await expect(row).not.toContainText('离线')

  // What it has recorded by now is fetched by hand, and heard here.
  await page.goto(`/stations/${serial}`)
  const fetched = await until(
    'a recording with sound has come',
    async () => {
      await fetchNow.click()
      const list = await api.get<{ items: { id: string; has_audio: boolean }[] }>(
        `/recordings?station=${serial}&audio=with`,
      )
      await page.waitForTimeout(1000)
      return list.items.find(({ has_audio }) => has_audio)
    },
    (found) => found !== undefined,
  )
  await page.goto(`/recordings?station=${serial}`)
  // Not the newest row: that may be a call that nobody answered.
  const recording = page.locator(`tbody tr[data-id="${fetched?.id}"]`)
  await expect(recording).toContainText('山区派出所')
  const sound = await page.request.get(`/api/v1/recordings/${fetched?.id}/audio`)
  expect((await sound.body()).length, 'bytes of sound').toBeGreaterThan(1000)
  await recording.dblclick()
  await expect(page.getByRole('region', { name: '播放器' })).toBeVisible()

  // Both write down who did what.
  await page.goto('/audit')
  await expect(page.locator('tr[data-operation="fetch_now"]').first()).toContainText('立即获取')
  const changed = page.locator('tr[data-operation="change_pull"]').first()
  await expect(changed).toContainText('修改平台获取设置')
  await expect(changed).toContainText('已填写安全码 是')
  await expect(page.locator('tr[data-operation="pin_certificate"]').first()).toContainText('绑定证书')
  await onStation(browser, station, stationSession, async (own) => {
    await expect(section(own)).toContainText('最近使用')
    await own.goto('/audit')
    await expect(own.locator('tr[data-operation="make_token"]').first()).toContainText('平台连接')
    await expect(own.locator('tr[data-operation="asked"]').first()).toContainText('平台获取')
  })
})

test('another certificate is compared before anything is sent', async ({
  page,
  browser,
  api,
  station,
  stationSession,
}) => {
  const serial = await serialOf(station, stationSession)
  await api.send('PATCH', `/devices/${serial}/pull`, { certificate: 'ab'.repeat(32) })
  await page.goto(`/stations/${serial}`)
  await expect(section(page).getByRole('alert')).toContainText('另一个证书', { timeout: 30_000 })
  await section(page).getByRole('button', { name: '核对新证书' }).click()
  const dialog = page.getByRole('dialog')
  const digits = async (name: string) =>
    (await dialog.getByRole('group', { name }).innerText()).replace(/\s/g, '')
  expect(await digits('当前绑定的证书')).toBe('ab'.repeat(32))
  const offered = await digits('设备出示的新证书')
  await onStation(browser, station, stationSession, async (own) => {
    const shown = await section(own).getByRole('group', { name: '本设备页面证书指纹' }).innerText()
    expect(shown.replace(/\s/g, ''), 'the station shows the same').toBe(offered)
  })
  const accept = dialog.getByRole('button', { name: '接受新证书' })
  await expect(accept, 'not before it was compared').toBeDisabled()
  expect([...(await accessibilityFaults(page)), ...(await rawKeys(page))]).toEqual([])
  await dialog.getByText('已核对，与设备显示的完全一致').click()
  await accept.click()
  await expect(dialog).toBeHidden()
  await expect(section(page).getByRole('alert')).toHaveCount(0, { timeout: 30_000 })
})

test('a code that is replaced or revoked opens nothing, which is an alarm', async ({
  page,
  browser,
  station,
  stationSession,
}) => {
  const serial = await serialOf(station, stationSession)
  await onStation(browser, station, stationSession, async (own) => {
    await section(own).getByRole('button', { name: '更换安全码' }).click()
    const dialog = own.getByRole('dialog')
    await expect(dialog).toContainText('原安全码立即失效')
    await dialog.getByRole('button', { name: '更换安全码' }).click()
    await expect(own.getByTestId('token')).toHaveText(/^\w{64}$/)
    await section(own).getByRole('button', { name: '撤销安全码' }).click()
    await dialog.getByRole('button', { name: '撤销安全码' }).click()
    await expect(section(own)).toContainText('任何平台都不能获取')
    await expect(own.getByTestId('token')).toHaveCount(0)
  })
  await page.goto(`/stations/${serial}`)
  await section(page).getByRole('button', { name: '立即获取' }).click()
  await expect(section(page).getByRole('alert')).toContainText('设备不接受该安全码', { timeout: 30_000 })
  await page.goto('/alarms')
  const alarm = page.locator('tr[data-code="synchronisation_failed"]')
  await expect(async () => {
    await page.reload()
    await expect(alarm.first()).toContainText('设备不接受该安全码', { timeout: 2000 })
  }).toPass({ timeout: 40_000 })
})

test('a station dials again when it can', async ({ page, api, station, stationSession }) => {
  const serial = await serialOf(station, stationSession)
  await page.goto('/stations')
  const row = page.locator(`tr[data-serial="${serial}"]`)
  await row.getByRole('button', { name: /更多操作/ }).click()
  await page.getByRole('menuitem', { name: '同步方式' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: '设备主动上传' }).click()
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(row.getByRole('img', { name: '设备主动上传' })).toBeVisible()
  await expect(row, 'it does not dial yet').toContainText('离线')
  expect(await api.get<object>(`/devices/${serial}/pull`)).toEqual({ settings: null, now: null })
})
