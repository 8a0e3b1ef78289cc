import { describe, expect, it } from 'vitest'
import { check, flatten, usesIn } from './check-locales.mjs'

const good = () => ({
    english: flatten({ a: { b: 'Hello {name}' }, state: { idle: 'Idle' } }),
    others: { 'zh-CN': flatten({ a: { b: '你好 {name}' }, state: { idle: '空闲' } }) },
    sources: ["t('a.b', { name })", '$t(`state.${x}`)'],
    enumerations: { state: ['idle'] },
    same: [],
})

describe('check-locales', () => {
    it('is content with whole words', () => {
        expect(check(good())).toEqual([])
    })

    it.each([
        ['a word missing in a language', (c) => c.others['zh-CN'].delete('a.b')],
        ['an empty word', (c) => c.others['zh-CN'].set('a.b', ' ')],
        ['a word used but written nowhere', (c) => c.sources.push("$t('a.c')")],
        ['a word used nowhere', (c) => (c.english.set('z', 'Z'), c.others['zh-CN'].set('z', '字'))],
        ['a word equal to English', (c) => c.others['zh-CN'].set('state.idle', 'Idle')],
        ['a lost parameter', (c) => c.others['zh-CN'].set('a.b', '你好')],
        ['a word English does not have', (c) => c.others['zh-CN'].set('a.x', '多')],
        ['a value of the interface without a word', (c) => c.enumerations.state.push('ringing')],
        ['a review that is not needed', (c) => c.same.push('state.idle')],
    ])('finds %s', (_, spoil) => {
        const case_ = good()
        spoil(case_)
        expect(check(case_)).toHaveLength(1)
    })

    it('accepts a reviewed word that equals English', () => {
        const case_ = good()
        case_.others['zh-CN'].set('state.idle', 'Idle')
        case_.same.push('state.idle')
        expect(check(case_)).toEqual([])
    })

    it('reads keys from code and templates', () => {
        const { named, prefixes } = usesIn('<p>{{ $t("x.y") }}</p> t(`call_type.${a}`) `problem.${code}`')
        expect([...named]).toEqual(['x.y'])
        expect([...prefixes]).toEqual(['call_type.', 'problem.'])
    })
})
