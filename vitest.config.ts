import { defineConfig } from 'vitest/config';

// `unit` needs no server; `integration` gets one PostgreSQL and a template database cloned per file.
export default defineConfig({
  test: {
    reporters: ['default', './test/support/plain-reporter.ts'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/domain/**/*.test.ts', 'test/rendering/**/*.test.ts', 'test/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: [
            'test/postgres/**/*.test.ts',
            'test/application/**/*.test.ts',
            'test/interfaces/**/*.test.ts',
            'test/contracts/**/*.test.ts',
            'test/end-to-end/**/*.test.ts',
            'test/faults/**/*.test.ts',
          ],
          globalSetup: ['test/support/postgres.global.ts'],
          maxWorkers: 2,
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
