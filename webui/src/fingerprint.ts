// Fingerprints of keys as people type and compare them.

const DIGITS = 64

/** The hexadecimal digits alone, in small letters: blanks, colons and dashes between them do not count. */
export const fingerprintDigits = (typed: string): string => typed.replace(/[\s:.-]/g, '').toLowerCase()

/** Groups of four digits. */
export const fingerprintGroups = (fingerprint: string): string[] =>
  fingerprintDigits(fingerprint).match(/.{1,4}/g) ?? []

/** Whether this is a whole fingerprint: 64 hexadecimal digits. */
export const isFingerprint = (typed: string): boolean =>
  new RegExp(`^[0-9a-f]{${DIGITS}}$`).test(fingerprintDigits(typed))
