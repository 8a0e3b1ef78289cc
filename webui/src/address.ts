// Single values of the address bar, for the filters of simple lists.
import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** A text in the address under `name`; setting it opens the list's first page again. */
export function useAddressText(name: string, otherwise = ''): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get: () => {
      const value = route.query[name]
      return typeof value === 'string' ? value : otherwise
    },
    set: (value) => {
      const kept = value === otherwise || value === '' ? undefined : value
      void router.push({ query: { ...route.query, [name]: kept, after: undefined } })
    },
  })
}

/** One of `known`, or `otherwise`. */
export function useAddressChoice<T extends string>(
  name: string,
  known: readonly T[],
  otherwise: T,
): WritableComputedRef<T> {
  const text = useAddressText(name, otherwise)
  return computed({
    get: () => known.find((one) => one === text.value) ?? otherwise,
    set: (value) => (text.value = value),
  })
}

/** A port's number in the address, as digits; empty is every port. */
export function useAddressPort(): WritableComputedRef<string> {
  const text = useAddressText('port')
  return computed({
    get: () => (/^\d+$/.test(text.value) ? text.value : ''),
    // A cleared choice is told as undefined.
    set: (value: string | undefined) => (text.value = value ?? ''),
  })
}

/** A text that a choice may clear; on a platform the serial number of a station, or a department. */
export function useAddressPick(name: string): WritableComputedRef<string> {
  const text = useAddressText(name)
  return computed({
    get: () => text.value,
    // A cleared choice is told as undefined.
    set: (value: string | undefined) => (text.value = value ?? ''),
  })
}

/** Two local times of the address, changed together. */
export function useAddressSpan(from: string, to: string): WritableComputedRef<[string, string] | undefined> {
  const route = useRoute()
  const router = useRouter()
  const [first, last] = [useAddressText(from), useAddressText(to)]
  return computed({
    get: (): [string, string] | undefined =>
      first.value && last.value ? [first.value, last.value] : undefined,
    set: (span: [string, string] | undefined) => {
      void router.push({ query: { ...route.query, [from]: span?.[0], [to]: span?.[1], after: undefined } })
    },
  })
}
