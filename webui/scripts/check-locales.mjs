// Fails when a word is missing in a language, is used nowhere, has other parameters than the English one, or equals
// the English one without standing in same-as-english.json (reviewed by a person).
//   node scripts/check-locales.mjs
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const LANGUAGES = ['zh-CN', 'zh-TW']

/** Enumerations of the interface, each value of which needs a word below this key. */
const ENUMERATIONS = {
    PortState: 'state',
    Severity: 'severity',
    CallType: 'call_type',
    StartMode: 'start_mode',
    StopMode: 'stop_mode',
    Grade: 'grade',
    ClockQuality: 'clock',
    ClockServerState: 'clock_server_state',
    ClockState: 'clock_state',
    RtcState: 'rtc_state',
    Codec: 'codec',
    Tone: 'tone',
    Right: 'right',
    ErrorCode: 'problem',
    AuditResult: 'audit_result',
    AlarmCategory: 'alarm_category',
    MailKind: 'mail_kind',
    NetworkAddressSource: 'network_source',
    NetworkFault: 'network_fault',
    NetworkLinkKind: 'network_kind',
    NetworkLinkState: 'network_state',
    NetworkOutcome: 'network_outcome',
    MailReason: 'mail_reason',
    MailSecurity: 'mail_security',
    MailTestState: 'mail_state',
    StatisticsBy: 'reports_by',
    CommandState: 'command_state',
    PullTroubleCode: 'pull_trouble',
}

/** `{a: {b: 'x'}}` as `a.b → x`. */
export function flatten(tree, prefix = '', out = new Map()) {
    for (const [name, value] of Object.entries(tree)) {
        const key = prefix ? `${prefix}.${name}` : name
        if (typeof value === 'string') out.set(key, value)
        else flatten(value, key, out)
    }
    return out
}

/** What a source file says of keys: those it names, and beginnings (`state.`) of those it puts together. */
export function usesIn(source) {
    const named = new Set()
    const prefixes = new Set()
    for (const [, , key] of source.matchAll(/\b(?:\$t|t|te)\(\s*(['"`])([\w.-]+)\1/g)) named.add(key)
    for (const [, key] of source.matchAll(/\bkeypath="([\w.-]+)"/g)) named.add(key)
    for (const [, prefix] of source.matchAll(/`([a-z][\w.]*[._])\$\{/g)) prefixes.add(prefix)
    // Tables of settings name the key below which a choice has its words.
    for (const [, prefix] of source.matchAll(/\bwords: '(\w+)'/g)) prefixes.add(`${prefix}.`)
    const quoted = new Set([...source.matchAll(/['"`]([a-z]\w*(?:\.[\w-]+)+)['"`]/g)].map(([, text]) => text))
    return { named, prefixes, quoted }
}

const parameters = (text) =>
    [...text.matchAll(/\{(\w+)\}/g)]
        .map(([, name]) => name)
        .sort()
        .join()

/** All that is wrong, a sentence each. */
export function check({ english, others, sources, enumerations, same }) {
    const faults = []
    const uses = sources.map(usesIn)
    const named = new Set(uses.flatMap(({ named: set }) => [...set]))
    const quoted = new Set(uses.flatMap(({ quoted: set }) => [...set]))
    const prefixes = [...new Set(uses.flatMap(({ prefixes: set }) => [...set]))]

    for (const key of named) if (!english.has(key)) faults.push(`en: ${key} is used but missing`)
    for (const [prefix, values] of Object.entries(enumerations)) {
        for (const value of values) {
            if (!english.has(`${prefix}.${value}`))
                faults.push(`en: ${prefix}.${value} is missing (a value of the interface)`)
        }
    }
    for (const key of english.keys()) {
        const used = named.has(key) || quoted.has(key) || prefixes.some((prefix) => key.startsWith(prefix))
        if (!used) faults.push(`en: ${key} is used nowhere`)
    }
    const reviewed = new Set(same)
    const equal = new Set()
    for (const [language, words] of Object.entries(others)) {
        for (const [key, text] of english) {
            const other = words.get(key)
            if (other === undefined || other.trim() === '') faults.push(`${language}: ${key} is missing`)
            else if (parameters(other) !== parameters(text))
                faults.push(`${language}: ${key} has other parameters than in English`)
            else if (other === text) {
                equal.add(key)
                if (!reviewed.has(key))
                    faults.push(
                        `${language}: ${key} equals English ("${text}"); translate it or review it in same-as-english.json`,
                    )
            }
        }
        for (const key of words.keys())
            if (!english.has(key)) faults.push(`${language}: ${key} is not in English`)
    }
    for (const key of reviewed)
        if (!equal.has(key))
            faults.push(`same-as-english.json: ${key} is not equal to English in any language`)
    return faults
}

function filesBelow(folder) {
    return readdirSync(folder).flatMap((name) => {
        const path = join(folder, name)
        return statSync(path).isDirectory() ? filesBelow(path) : [path]
    })
}

function main() {
    const json = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'))
    const words = (language) => flatten(json(`src/locales/${language}.json`))
    const { schemas } = json('../daemon/web/openapi.json').components
    const enumerations = {}
    for (const [schema, prefix] of Object.entries(ENUMERATIONS)) {
        if (!schemas[schema]?.enum) throw new Error(`openapi.json has no enumeration ${schema}`)
        enumerations[prefix] = schemas[schema].enum
    }
    const sources = filesBelow(join(root, 'src'))
        .filter((path) => /\.(vue|ts)$/.test(path) && !/\.test\.ts$|api-types\.ts$/.test(path))
        .map((path) => readFileSync(path, 'utf8'))
    const faults = check({
        english: words('en'),
        others: Object.fromEntries(LANGUAGES.map((language) => [language, words(language)])),
        sources,
        enumerations,
        same: json('scripts/same-as-english.json'),
    })
    for (const fault of faults) console.error(fault)
    if (faults.length > 0) {
        console.error(`${faults.length} faults in src/locales`)
        process.exit(1)
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
