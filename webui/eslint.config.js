// Lint rules of the pages: TypeScript strict, Vue recommended, layout left to prettier.
import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import globals from 'globals'
import ts from 'typescript-eslint'

export default ts.config(
    { ignores: ['dist', 'node_modules', 'src/api-types.ts'] },
    ...ts.configs.strict,
    ...ts.configs.stylistic,
    ...vue.configs['flat/recommended'],
    {
        languageOptions: { globals: { ...globals.browser } },
        rules: {
            eqeqeq: 'error',
            'no-console': 'error',
            'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
            'vue/component-api-style': ['error', ['script-setup']],
            'vue/define-props-declaration': ['error', 'type-based'],
            'vue/no-unused-refs': 'error',
            'vue/no-v-html': 'error',
            // Pages are named after their folder, and the frame holds few: one word is clear enough.
            'vue/multi-word-component-names': 'off',
            // Absent and undefined mean the same to these components.
            'vue/require-default-prop': 'off',
        },
    },
    { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } } },
    {
        files: ['scripts/**', '*.config.*'],
        languageOptions: { globals: { ...globals.node } },
        rules: { 'no-console': 'off' },
    },
    prettier,
)
