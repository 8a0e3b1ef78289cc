// E-mail push on the page: set up, what cannot be, a test and how it went, in words.
import { expect, speak, test } from './station'

test.use({ own: 'mail' })

test('e-mail is set up, and a test says in words why it failed', async ({ page }) => {
  await speak(page, 'en')
  await page.goto('/mail')
  await expect(page.getByRole('heading', { name: 'E-mail push' })).toBeVisible()
  await page.getByLabel('Mail server (SMTP)').fill('127.0.0.1')
  await page.getByLabel('Connection', { exact: true }).selectOption('none')
  await expect(page.getByLabel("Server's port")).toHaveValue('25')
  // A port that nobody listens on.
  await page.getByLabel("Server's port").fill('9')
  await page.getByLabel("Sender's address").fill('box')
  await page.locator('#box-secret').fill('hunter2')
  await page.getByLabel('Recipient 1').fill('duty@mail.test')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Expected: one e-mail address.')).toBeVisible()
  await page.getByLabel("Sender's address").fill('box@mail.test')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved', { exact: true })).toBeVisible()
  await expect(page.locator('#box-secret')).toHaveValue('')
  await expect(page.locator('#box-secret')).toHaveAttribute('placeholder', /^set/)

  await page.getByLabel('Text of the test').fill('Does it arrive?')
  await page.getByRole('button', { name: 'Send test' }).click()
  const result = page.getByRole('status', { name: 'How the test went' })
  await expect(result.getByText('The server cannot be reached')).toBeVisible()
  await expect(page.getByRole('listitem').filter({ hasText: 'Test 20' })).toBeVisible()

  // Whoever has the secret sent elsewhere has to type it again.
  await page.getByLabel('Mail server (SMTP)').fill('mail.example.net')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Expected: the secret once more')).toBeVisible()
})
