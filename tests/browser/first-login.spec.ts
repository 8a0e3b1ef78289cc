// The first minute with a new box: its first password is refused for anything but its own replacement.
import { expect, PASSWORD, startStation, test } from './station'

test.use({ storageState: async ({}, use) => use({ cookies: [], origins: [] }) })

test('the first password must be changed, then the page that was asked for opens', async ({
  page,
  complaints,
}) => {
  const fresh = await startStation()
  try {
    await page.goto(`${fresh.url}/recordings?number=8012`)
    await expect(page).toHaveURL(/\/login\?next=/)

    await page.fill('[name=name]', 'admin')
    await page.fill('[name=password]', 'wrong')
    await page.click('[type=submit]')
    await expect(page.getByRole('alert')).toHaveText('账号或密码错误。')
    await page.getByRole('button', { name: 'English' }).click()
    await expect(page.getByRole('alert')).toHaveText('Account or password is wrong.')
    await page.getByRole('button', { name: '繁體中文' }).click()
    await expect(page.locator('html')).toHaveAttribute('lang', 'zh-TW')

    await page.fill('[name=password]', fresh.firstPassword)
    await page.click('[type=submit]')
    await expect(page.getByText('請設定自己的密碼')).toBeVisible()
    await page.goto(`${fresh.url}/live`)
    await expect(page.getByText('請設定自己的密碼'), 'no way around the change').toBeVisible()

    await page.fill('[name=old]', fresh.firstPassword)
    await page.fill('[name=new]', 'short')
    await page.fill('[name=again]', 'other')
    await page.click('[type=submit]')
    await expect(page.getByText('兩次輸入不一致。')).toBeVisible()
    await page.fill('[name=new]', 'aaaaaaaaaaaa')
    await page.fill('[name=again]', 'aaaaaaaaaaaa')
    await page.click('[type=submit]')
    await expect(page.getByRole('alert')).toContainText('新密碼過於簡單')

    await page.fill('[name=new]', PASSWORD)
    await page.fill('[name=again]', PASSWORD)
    await page.click('[type=submit]')
    await expect(page).toHaveURL(`${fresh.url}/live`)
    await expect(page.locator('[data-port]')).toHaveCount(16)

    await page.getByRole('button', { name: /admin/ }).click()
    await page.getByRole('menuitem', { name: '登出' }).click()
    await expect(page).toHaveURL(/\/login/)
    await page.goto(`${fresh.url}/recordings?number=8012`)
    await page.fill('[name=name]', 'admin')
    await page.fill('[name=password]', PASSWORD)
    await page.click('[type=submit]')
    await expect(page).toHaveURL(/\/recordings\?number=8012/)
    await expect(page.getByRole('textbox', { name: '號碼（任一方）' })).toHaveValue('8012')

    await fresh.restart()
    await expect(page, 'a box that was started again knows no session').toHaveURL(/\/login\?.*ended=1/, {
      timeout: 30_000,
    })
    await expect(page.getByText('工作階段已結束')).toBeVisible()
    await page.fill('[name=name]', 'admin')
    await page.fill('[name=password]', PASSWORD)
    await page.click('[type=submit]')
    // A browser tells every connection that its box was not there for.
    const ours = complaints.filter((text) => !/WebSocket connection to|net::ERR_/.test(text))
    complaints.splice(0, complaints.length, ...ours)
    await expect(page, 'and the page goes on where it was').toHaveURL(/\/recordings\?number=8012/)
  } finally {
    // The page would miss its box.
    await page.close()
    await fresh.stop()
  }
})
