// What upgrade bundles may be called.

const MOST_CHARACTERS = 64

export const isReleaseName = (name: string): boolean => /^[A-Za-z0-9._+-]{1,64}$/.test(name)

/** The name of a file as one that a bundle may have: `hookline 0.2.0.raucb` becomes `hookline-0.2.0`. */
export function proposedName(fileName: string): string {
  return fileName
    .replace(/\.raucb$/i, '')
    .replace(/[^A-Za-z0-9._+-]+/g, '-')
    .slice(0, MOST_CHARACTERS)
    .replace(/^-+|-+$/g, '')
}

/** `3f9a1c20…`, enough to tell one bundle from another. */
export const shortSum = (sha256: string): string => `${sha256.slice(0, 12)}…`
