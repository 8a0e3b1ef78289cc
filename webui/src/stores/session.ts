// Who is logged in, and what that account may do.
import { computed, ref } from 'vue'
import { api, ApiProblem, useCsrf, type Language, type Right, type Session } from '@/api'
import { firstLanguage, setLanguage } from '@/i18n'

const current = ref<Session | null>(null)
let asked = false

export const session = computed(() => current.value)

/** True when the account has the right; without a session nobody may do anything. */
export function can(right: Right): boolean {
  return current.value?.rights.includes(right) ?? false
}

async function adopt(next: Session): Promise<void> {
  current.value = next
  asked = true
  useCsrf(next.csrf)
  if (next.language) await setLanguage(next.language)
}

/** The session of this browser, asked for once; `null` when nobody is logged in. */
export async function loadSession(): Promise<Session | null> {
  if (asked) return current.value
  try {
    await adopt(await api.session())
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'not_logged_in') throw error
    asked = true
  }
  return current.value
}

export async function logIn(name: string, password: string): Promise<Session> {
  const next = await api.login(name, password)
  await adopt(next)
  return next
}

export async function changePassword(old: string, next: string): Promise<void> {
  const answer = await api.changePassword(old, next)
  await adopt(answer)
}

/** Forgets the session here; the box has ended it or is told to by `logOut`. */
export function forgetSession(): void {
  current.value = null
  asked = true
  useCsrf('')
}

export async function logOut(): Promise<void> {
  await api.logout()
  forgetSession()
}

/** Shows another language, and lets the account remember it when somebody is logged in. */
export async function chooseLanguage(language: Language): Promise<void> {
  await setLanguage(language)
  if (current.value && !current.value.must_change_password) {
    current.value = await api.rememberLanguage(language)
  }
}

export const startLanguage = () => setLanguage(firstLanguage())
