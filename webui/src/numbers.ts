// Telephone numbers as a person types many of them: apart by spaces, commas or lines.
export const numbersOf = (typed: string): string[] => typed.split(/[\s,;，；、]+/).filter((one) => one !== '')
export const numbersText = (numbers: readonly string[]): string => numbers.join(' ')
